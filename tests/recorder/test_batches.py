"""Which label belongs to which logits: found, or refused, and never guessed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import BadOption, Unavailable  # noqa: E402
from runopsy.recorder.batches import Batch, labelled, own_loss  # noqa: E402

ce = nn.functional.cross_entropy


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def flat_ce(logits: Tensor, y: Tensor) -> Tensor:
    return ce(logits.flatten(0, 1), y.flatten())


def next_ce(logits: Tensor, y: Tensor) -> Tensor:
    return ce(logits[:, :-1].flatten(0, 1), y[:, 1:].flatten())


def test_plain_classes() -> None:
    logits, y = torch.randn(9, 4), torch.arange(9) % 4
    found = labelled(logits, y, ce)
    assert float(found.accuracy()) == pytest.approx(float((logits.argmax(1) == y).float().mean()))
    assert found.positions == 9


def test_examples_without_a_label_are_left_out_with_their_features() -> None:
    logits, y = torch.randn(5, 3), torch.tensor([0, -100, 2, -100, 1])
    found = labelled(logits, y, ce)
    assert found.y.tolist() == [0, 2, 1]
    features = torch.arange(5.0)[:, None]
    assert found.of(features).flatten().tolist() == [0, 2, 4]
    with pytest.raises(Unavailable, match="4 rows of features for 5 predictions"):
        found.of(features[:4])


def test_rows_that_are_exactly_one_hot_are_classes() -> None:
    y = torch.tensor([2, 0, 1])
    assert labelled(torch.randn(3, 3), nn.functional.one_hot(y).float(), nn.functional.mse_loss).y.tolist() == [2, 0, 1]


def test_one_logit_under_its_loss_has_two_classes() -> None:
    z, y = torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([[1.0], [0.0], [0.0]])
    assert labelled(z, y, nn.BCEWithLogitsLoss()).right.tolist() == [True, True, False]


def test_positions_of_an_image_have_their_classes_second() -> None:
    logits, y = torch.randn(2, 5, 3, 4), torch.randint(0, 5, (2, 3, 4))
    found = labelled(logits, y, ce)
    assert float(found.accuracy()) == pytest.approx(float((logits.argmax(1) == y).float().mean()))


@pytest.mark.parametrize("loss_fn", [flat_ce, next_ce])
def test_the_loss_says_whether_a_sequence_model_predicts_this_word_or_the_next(loss_fn: object) -> None:
    logits, y = torch.randn(3, 6, 7), torch.randint(0, 7, (3, 6))
    y[1, 3] = -100
    found = labelled(logits, y, loss_fn)
    mine = (logits.argmax(2)[:, :-1], y[:, 1:]) if loss_fn is next_ce else (logits.argmax(2), y)
    keep = mine[1] >= 0
    assert float(found.accuracy()) == pytest.approx(float((mine[0] == mine[1])[keep].float().mean()))
    features = torch.arange(18.0)[:, None]
    assert len(found.of(features)) == int(keep.sum())
    assert found.of(features).max() == (16 if loss_fn is next_ce else 17)


def test_where_the_loss_does_not_say_it_nothing_is_guessed() -> None:
    logits, y = torch.randn(3, 6, 7), torch.randint(0, 7, (3, 6))
    with pytest.raises(Unavailable, match="loss_fn= does not show which label"):
        labelled(logits, y, lambda o, y: o.square().mean())


@pytest.mark.parametrize(
    ("logits", "y", "text"),
    [
        (torch.randn(4, 1), torch.randn(4, 1), "no classes"),
        (torch.randn(4, 3), torch.rand(4, 3), "no classes"),
        (torch.randn(4, 3), torch.tensor([True, False, True, True]), "no classes"),
        (torch.randn(4, 3), torch.tensor([0, 1, 2, 3]), "a target is 3, and there are 3 logits"),
        (torch.randn(4, 3), torch.full((4,), -100), "no classes"),
        (torch.randn(4, 3), torch.zeros(5, dtype=torch.long), "do not fit"),
        (torch.randn(4, 6, 6), torch.zeros(4, 6, dtype=torch.long), "as many classes as positions"),
        (torch.randn(4, 3), None, "no tensor of classes"),
    ],
)
def test_targets_that_are_no_classes_are_refused(logits: Tensor, y: object, text: str) -> None:
    with pytest.raises(Unavailable, match=text):
        labelled(logits, y, None)


def test_inputs_come_as_a_tensor_arguments_keywords_or_one_dict() -> None:
    x, y = torch.ones(4, 2), torch.zeros(4)

    def model(*args: Tensor, **kwargs: Tensor) -> tuple[int, list[str]]:
        return len(args), sorted(kwargs)

    assert Batch.of((x, y), "probe").run(model) == (1, [])
    assert Batch.of(((x, x), y), "probe").run(model) == (2, [])
    assert Batch.of(({"a": x, "b": x}, y), "probe").run(model) == (0, ["a", "b"])
    alone = Batch.of({"a": x, "labels": y}, "probe")
    assert alone.run(model) == (0, ["a", "labels"])
    assert torch.equal(alone.y, y)


@pytest.mark.parametrize("given", [3, (1, 2, 3), "x"])
def test_anything_else_is_refused(given: object) -> None:
    with pytest.raises(BadOption, match="probe="):
        Batch.of(given, "probe")


def test_what_the_loop_does_to_its_tensors_later_is_not_seen() -> None:
    x = torch.ones(4, 2)
    batch = Batch.of((x, x), "probe")
    x.zero_()
    assert torch.equal(batch.args[0], torch.ones(4, 2))


def test_some_examples_are_taken_and_a_mask_for_all_stays() -> None:
    batch = Batch.of(({"x": torch.arange(6), "mask": torch.ones(3, 3)}, torch.arange(6)), "probe")[2:4]
    assert batch.kwargs["x"].tolist() == [2, 3]
    assert tuple(batch.kwargs["mask"].shape) == (3, 3)
    assert batch.y.tolist() == [2, 3]


def test_a_model_may_compute_its_own_loss() -> None:
    assert float(own_loss({"loss": torch.tensor(2.0)}, None)) == 2
    assert float(own_loss(SimpleNamespace(loss=torch.tensor(3.0)), None)) == 3
    with pytest.raises(Unavailable, match="loss_fn="):
        own_loss(torch.ones(3), None)
