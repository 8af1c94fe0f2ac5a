"""Learning and forgetting of single examples, as planted."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.canary import Canaries  # noqa: E402
from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes.examples import CanaryAccuracy, ExampleDynamics  # noqa: E402

# right or wrong at readings of steps 0, 10, 20, 30, 40: one row an example
PLANTED = torch.tensor([[0, 1, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]])


class Scripted(nn.Module):
    """Answers class 1 where it is to be right, class 0 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.unused, self.at = nn.Linear(1, 1), 0

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.one_hot(PLANTED[x[:, 0].long(), self.at], 2).float()


def test_forgetting_and_first_learning_are_counted_example_by_example() -> None:
    model = Scripted()
    loop = Loop(model, probe=Batch.of((torch.arange(4.0)[:, None], torch.ones(4, dtype=torch.long)), "probe"))
    gauge = ExampleDynamics().start(loop)
    found = []
    for at in range(5):
        model.at = at
        with torch.no_grad():
            found.append({name: float(value) for _, name, value in gauge.measure(10 * at)})
        loop.sight.forget()
    assert [reading["examples/forgetting"] for reading in found] == [0, 0, 0.25, 0.25, 0.5]
    assert [reading["examples/learned_step"] for reading in found] == [0, 5, 5, 10, 10]
    assert loop.tables["probe"]() == {
        "example": [0, 1, 2, 3],
        "first_right": [10, 0, 30, None],
        "last_wrong": [40, None, 20, 40],
        "forgotten": [2, 0, 0, 0],
        "right": [0, 1, 1, 0],
    }


def test_before_the_first_reading_the_table_is_empty() -> None:
    loop = Loop(Scripted(), probe=Batch.of((torch.zeros(4, 1), torch.ones(4)), "probe"))
    ExampleDynamics().start(loop)
    assert loop.tables["probe"]() == {}


def test_a_network_that_learns_flipped_labels_by_heart_is_seen_to_do_so() -> None:
    """At the start canaries are at or below chance, at the end they are known."""
    torch.manual_seed(0)
    x, y = torch.randn(120, 10), torch.arange(120) % 4
    x[:, :4] += 4 * nn.functional.one_hot(y, 4)
    data = Canaries([(a, int(b)) for a, b in zip(x, y, strict=True)], classes=4, count=12)
    model = nn.Sequential(nn.Linear(10, 200), nn.ReLU(), nn.Linear(200, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loop = Loop(model, canaries=Batch.of(data.batch(), "canaries"))
    gauge = CanaryAccuracy().start(loop)
    inputs, labels = x, torch.tensor([data[i][1] for i in range(120)])
    found = []
    for step in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        with torch.no_grad():
            found += [float(value) for _, _, value in gauge.measure(step)]
        loop.sight.forget()
        optimizer.step()
    assert max(found[5:15]) < 0.25
    assert found[-1] > 0.9
