"""Learning and forgetting of single examples, as planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import BadOption  # noqa: E402
from runopsy.recorder import record  # noqa: E402
from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.canary import Canaries  # noqa: E402
from runopsy.recorder.probes import Loop, watching  # noqa: E402
from runopsy.recorder.probes.examples import CanaryAccuracy, ExampleDynamics  # noqa: E402
from runopsy.recorder.probes.groups import GroupCurves  # noqa: E402
from runopsy.store import read_run  # noqa: E402

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
    table = loop.tables["probe"]()
    counted = {
        "example": [0, 1, 2, 3],
        "label": [1, 1, 1, 1],
        "first_right": [10, 0, 30, None],
        "learnt": [None, 0, 30, None],
        "last_wrong": [40, None, 20, 40],
        "forgotten": [2, 0, 0, 0],
        "right": [0, 1, 1, 0],
    }
    assert {name: table[name] for name in counted} == counted
    assert turned(loop.tables["probe-turns"]()) == {
        0: [(0, 0), (10, 1), (20, 0), (30, 1), (40, 0)],
        1: [(0, 1)],
        2: [(0, 0), (30, 1)],
        3: [(0, 0)],
    }


def turned(table: Any) -> dict[int, list[tuple[int, int]]]:
    """By example its turns: (step, right from there on)."""
    found: dict[int, list[tuple[int, int]]] = {}
    for example, step, right in zip(table["example"], table["step"], table["right"], strict=True):
        found.setdefault(example, []).append((step, right))
    return found


class Answers(nn.Module):
    """Gives the logits of one reading after another, row by row of the inputs."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.unused, self.logits, self.at = nn.Linear(1, 1), logits, 0

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[self.at, x[:, 0].long()]


def read(gauge: Any, loop: Loop, model: Any, readings: int) -> None:
    for at in range(readings):
        model.at = at
        with torch.no_grad():
            list(gauge.measure(at))
        loop.sight.forget()


def test_confidence_variability_and_margin_are_those_of_the_naive_sums() -> None:
    torch.manual_seed(1)
    logits = 2 * torch.randn(7, 12, 5)
    logits[3, 2] = float("nan")  # a reading that is not finite is left out of the means
    model, y = Answers(logits), torch.randint(0, 5, (12,))
    batch = Batch.of((torch.arange(12.0)[:, None], y), "probe")
    loop = Loop(model, probe=batch, heldout=batch)
    read(ExampleDynamics().start(loop), loop, model, 7)
    table = loop.tables["probe"]()
    assert loop.tables["heldout"]() == table
    sure = logits[[0, 1, 2, 4, 5, 6]].double().softmax(dim=2)
    for i in range(12):
        own = sure[:, i, int(y[i])]
        others = sure[:, i, [k for k in range(5) if k != int(y[i])]]
        assert table["confidence"][i] == pytest.approx(float(own.mean()), abs=1e-6)
        assert table["variability"][i] == pytest.approx(float(own.std(correction=0)), abs=1e-6)
        assert table["margin"][i] == pytest.approx(float((own - others.max(dim=1).values).mean()), abs=1e-6)
        assert table["loss"][i] == pytest.approx(-float(own[-1].log()), abs=1e-5)
        means = sure[:, i].mean(dim=0)
        means[int(y[i])] = -1
        assert table["rather"][i] == int(means.argmax())
    assert table["readings"] == [6] * 12
    assert table["predicted"] == logits[6].argmax(dim=1).tolist()


def test_too_many_turns_leave_no_table_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_TURNS", 5)
    model = Scripted()
    loop = Loop(model, probe=Batch.of((torch.arange(4.0)[:, None], torch.ones(4, dtype=torch.long)), "probe"))
    read(ExampleDynamics().start(loop), loop, model, 5)
    assert loop.tables["probe-turns"]() == {}
    assert loop.tables["probe"]()["forgotten"] == [2, 0, 0, 0]


def test_targets_of_held_out_examples_that_are_no_classes_cost_the_probe_batch_nothing() -> None:
    model = Scripted()
    x = torch.arange(4.0)[:, None]
    loop = Loop(model, probe=Batch.of((x, torch.ones(4, dtype=torch.long)), "probe"),
                heldout=Batch.of((x, torch.rand(4, 2)), "heldout"))  # fmt: skip
    read(ExampleDynamics().start(loop), loop, model, 5)
    assert loop.tables["heldout"]() == {}
    assert loop.tables["probe"]()["right"] == [0, 1, 1, 0]


def test_groups_are_read_apart_and_small_ones_left_out() -> None:
    torch.manual_seed(2)
    logits, y = torch.randn(1, 9, 3), torch.randint(0, 3, (9,))
    groups = ("a", "b", "a", "b", "b", "a", "lonely", "a", "b")
    model = Answers(logits)
    loop = Loop(model, probe=Batch.of((torch.arange(9.0)[:, None], y), "probe"), groups=groups)
    with torch.no_grad():
        found = {name: value for _, name, value in GroupCurves().start(loop).measure(0)}
    loss = nn.functional.cross_entropy(logits[0], y, reduction="none")
    for name in "ab":
        mine = torch.tensor([group == name for group in groups])
        assert found.pop(f"groups/{name}/loss") == pytest.approx(float(loss[mine].mean()), abs=1e-6)
        right = (logits[0].argmax(dim=1) == y)[mine].float().mean()
        assert found.pop(f"groups/{name}/acc") == pytest.approx(float(right))
    assert not found
    assert loop.notes["groups/<group>/loss"] == {"groups": 2, "left_out": 1}


def test_all_positions_of_a_sequence_are_in_the_group_of_its_example(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))
    words = torch.randint(0, 5, (6, 3))
    groups = torch.tensor([0, 0, 0, 1, 1, 1])
    with record(tmp_path / "run", model=model, probe=(words, words), groups=groups, budget=None) as run:
        run.step(0)
    log = read_run(tmp_path / "run")
    right = model(words).argmax(dim=2) == words
    assert log.tracks["groups/0/acc"].value.tolist() == [pytest.approx(float(right[:3].float().mean()))]
    assert log.examples["probe"].group == ("0",) * 9 + ("1",) * 9


@pytest.mark.parametrize(("options", "hint"), [({"probe": (torch.zeros(3, 1), torch.zeros(3).long())}, "one for each"),
                                               ({}, "hand both")])  # fmt: skip
def test_groups_that_fit_no_probe_batch_are_refused(tmp_path: Path, options: dict[str, Any], hint: str) -> None:
    with pytest.raises(BadOption) as refused:
        record(tmp_path / "run", model=nn.Linear(1, 2), groups=[0, 1], **options)
    assert hint in (refused.value.hint or "")


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
