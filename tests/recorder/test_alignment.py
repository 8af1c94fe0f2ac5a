"""Labels of sequences: at their own position or at the next; known at once, or kept both ways until they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder import record  # noqa: E402
from runopsy.recorder.alignment import Alignment, Undecided, by_value, of_model  # noqa: E402
from runopsy.recorder.batches import labelled, own_loss  # noqa: E402
from runopsy.store import read_run  # noqa: E402

ce = nn.functional.cross_entropy
WORDS = 11


def same(logits: Tensor, y: Tensor) -> Tensor:
    return ce(logits.flatten(0, 1), y.flatten())


def following(logits: Tensor, y: Tensor) -> Tensor:
    return ce(logits[:, :-1].flatten(0, 1), y[:, 1:].flatten())


def smoothed(logits: Tensor, y: Tensor) -> Tensor:
    return ce(logits[:, :-1].flatten(0, 1), y[:, 1:].flatten(), label_smoothing=0.1) + 0.1 * logits.square().mean()


def turned(logits: Tensor, y: Tensor) -> Tensor:
    return ce(logits.mT, y)


def weighted(logits: Tensor, y: Tensor) -> Tensor:
    weight = torch.linspace(0.5, 2, WORDS)
    return ce(logits.flatten(0, 1), y.flatten(), weight, ignore_index=-100)


@pytest.mark.parametrize(
    ("loss_fn", "shifted"),
    [(same, False), (following, True), (smoothed, True), (turned, False), (weighted, False)],
)
@pytest.mark.parametrize("size", [1e-4, 1.0])
def test_the_gradient_of_the_loss_tells_at_once(loss_fn: Any, shifted: bool, size: float) -> None:
    """Also where all logits are nearly equal, as at random initialisation: both losses are log K then."""
    torch.manual_seed(0)
    logits, y = size * torch.randn(6, 9, WORDS), torch.randint(0, WORDS, (6, 9))
    if loss_fn is not smoothed:  # torch smooths no labels that are left out
        y[1, 3] = -100
    found = Alignment()
    with torch.no_grad():
        labelled(logits, y, loss_fn, found)
    assert found.shifted is shifted


@pytest.mark.parametrize("loss_fn", [same, following, ce])
def test_as_many_classes_as_positions_are_told_apart_by_the_loss(loss_fn: Any) -> None:
    torch.manual_seed(0)
    logits, y = torch.randn(5, WORDS, WORDS), torch.randint(0, WORDS, (5, WORDS))
    found = labelled(logits, y, loss_fn)
    right = (logits.argmax(1) == y) if loss_fn is ce else (logits.argmax(2) == y)
    if loss_fn is following:
        right = logits.argmax(2)[:, :-1] == y[:, 1:]
    assert float(found.accuracy()) == pytest.approx(float(right.float().mean()))


def test_parts_of_an_output_are_exchanged_for_that() -> None:
    torch.manual_seed(0)
    logits, y = torch.randn(6, 9, WORDS), torch.randint(0, WORDS, (6, 9))
    for output, loss_fn in (
        ((logits, logits), lambda o, y: following(o[0], y)),
        ({"logits": logits, "h": logits}, lambda o, y: following(o["logits"], y)),
    ):
        found = Alignment()
        labelled(output, y, loss_fn, found)
        assert found.shifted is True


@pytest.mark.parametrize(("loss_fn", "shifted"), [(same, False), (following, True)])
def test_where_labels_repeat_the_last_position_tells(loss_fn: Any, shifted: bool) -> None:
    found = Alignment()
    labelled(torch.zeros(4, 6, WORDS), torch.full((4, 6), 3), loss_fn, found)
    assert found.shifted is shifted


@pytest.mark.parametrize(
    ("loss", "here", "after", "expected"),
    [(2.0, 2.0, 2.5, False), (2.0, 2.5, 2.0000001, True), (2.3978, 2.3978, 2.3991, False)],
)
def test_values_tell_where_they_differ(loss: float, here: float, after: float, expected: bool) -> None:
    assert by_value(loss, here, after) is expected


@pytest.mark.parametrize(("loss", "here", "after"), [(2.0, 2.0, 2.000001), (2.3978, 2.3975, 2.398)])
def test_values_that_agree_tell_nothing(loss: float, here: float, after: float) -> None:
    with pytest.raises(Undecided):
        by_value(loss, here, after)


def test_values_that_fit_neither_are_refused_with_what_to_do() -> None:
    with pytest.raises(Unavailable, match="give labels of the same positions"):
        by_value(2.0, 3.0, 4.0)


class TinyForCausalLM(nn.Module):
    """Computes its own loss, of the next words, and says so by its name as Hugging Face's models do."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(WORDS, 8), nn.Linear(8, WORDS)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.head(self.words(input_ids))
        return {"loss": following(logits, labels), "logits": logits}


class Tiny(TinyForCausalLM):
    """The same, and nobody says so."""


@pytest.mark.parametrize(
    ("name", "shifted"),
    [("GPT2LMHeadModel", True), ("LlamaForCausalLM", True), ("BertForMaskedLM", False), ("MyNet", None)],
)
def test_names_of_hugging_face_tell(name: str, shifted: bool | None) -> None:
    assert of_model(type(name, (nn.Module,), {})()) is shifted


def sentences(n: int) -> dict[str, Tensor]:
    """Each word follows from the one before; the first is any."""
    x = torch.randint(0, WORDS, (n, 1))
    words = torch.cat([(3**i * x) % WORDS for i in range(6)], dim=1)
    return {"input_ids": words, "labels": words}


def train(folder: Path, model: nn.Module, steps: int = 60) -> dict[str, list[tuple[float, float]]]:
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    with record(
        folder, model=model, optimizer=optimizer, probe=sentences(40), heldout=sentences(40), budget=None
    ) as run:
        for step in range(steps):
            loss = model(**sentences(32))["loss"]
            optimizer.zero_grad()
            loss.backward()
            run.step(step, {"train/loss": loss})
            optimizer.step()
    tracks = read_run(folder).tracks.values()
    return {t.name: list(zip(t.step.tolist(), t.value.tolist(), strict=True)) for t in tracks}


def test_a_model_that_says_so_is_believed_from_the_first_reading(tmp_path: Path) -> None:
    found = train(tmp_path / "run", TinyForCausalLM())
    assert len(found["eval/acc_train"]) == 60
    assert found["eval/acc_train"][-1][1] > 0.9
    assert found["examples/learned_step"][-1][1] < 60
    assert "examples/forgetting" in found


def test_where_nobody_says_it_both_are_kept_until_the_losses_part(tmp_path: Path) -> None:
    """With logits of zero the loss is log K either way: the first reading is placed later, and none is lost."""
    torch.manual_seed(0)
    kept = train(tmp_path / "kept", Tiny())
    torch.manual_seed(0)
    known = train(tmp_path / "known", TinyForCausalLM())
    for name in ("eval/acc_train", "examples/forgetting", "examples/learned_step", "pred/entropy"):
        assert kept[name] == known[name], name
    tables = [next((tmp_path / run / "examples").iterdir()).read_bytes() for run in ("kept", "known")]
    assert len(tables[0]) == len(tables[1])
    assert "eval/acc_train" not in json.loads((tmp_path / "kept/run.json").read_text())["not_recorded"]


def test_what_is_never_decided_is_written_where_it_makes_no_difference(tmp_path: Path) -> None:
    """Every word is the same one: both ways are right."""
    model = Tiny()
    words = torch.full((20, 5), 3)
    batch = {"input_ids": words, "labels": words}
    with record(tmp_path / "run", model=model, probe=batch, budget=None) as run:
        run.step(0)
        run.step(1)
    found = read_run(tmp_path / "run")
    assert found.tracks["eval/acc_train"].step.tolist() == [0, 1]


def test_own_loss_is_what_it_was() -> None:
    assert float(own_loss({"loss": torch.tensor(2.0)}, None)) == 2
