"""Where the last hidden features are, in models of every kind."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder.anatomy import MOST_BLOCKS, blocks, main_tensor, plain  # noqa: E402
from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.sight import Sight  # noqa: E402
from zoo import SPECIMENS, mlp, vectors  # noqa: E402


def sight_of(model: nn.Module, batch: tuple[Tensor, Tensor], head: object = None) -> Sight:
    sight = Sight(model, {"probe": Batch.of(batch, "probe")}, None, head)
    sight.see("probe")
    return sight


@pytest.mark.parametrize(
    ("name", "head", "shape"),
    [
        ("mlp", "4", (20, 12)),
        ("convnet", "9", (20, 32)),
        ("transformer", "4", (20, 16)),
        ("tied", "head", (120, 8)),
        ("tied by product", "product with words.weight", (120, 8)),
        ("lstm", "head", (20, 8)),
        ("odd", "head", (20, 12)),
        ("compiled", "4", (20, 12)),
    ],
)
def test_the_head_is_the_last_linear_layer(name: str, head: str, shape: tuple[int, int]) -> None:
    sight = sight_of(SPECIMENS[name].model(), SPECIMENS[name].batch(20))
    assert (sight.head().name, tuple(sight.hidden("probe").shape)) == (head, shape)


def test_the_features_are_what_enters_the_head() -> None:
    model, (x, y) = mlp(), vectors(20)
    torch.testing.assert_close(sight_of(model, (x, y)).hidden("probe"), model[:4](x).detach())


class Shuffled(nn.Module):
    """Layers registered in another order than they run in, an auxiliary head last."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.body, self.aux = nn.Linear(6, 4), nn.Linear(8, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.body(x))
        logits = self.main(h)
        self.aux(h)
        return logits


def test_the_order_is_that_of_running_and_the_output_says_which_head_counts() -> None:
    assert sight_of(Shuffled(), vectors(20)).head().name == "main"


@pytest.mark.parametrize("head", ["2", "module"])
def test_a_head_can_be_named(head: str) -> None:
    model = mlp()
    sight = sight_of(model, vectors(20), model[2] if head == "module" else head)
    assert (sight.head().name, sight.hidden("probe").shape[1]) == ("2", 16)


def test_the_features_of_a_head_that_is_a_product_are_what_is_multiplied() -> None:
    specimen = SPECIMENS["tied by product"]
    model, (x, y) = specimen.model().eval(), specimen.batch(20)
    sight = sight_of(model, (x, y))
    for _ in range(2):
        torch.testing.assert_close(sight.hidden("probe") @ model.words.weight.T, model(x).flatten(0, 1))
        sight.forget()


def test_a_head_that_is_not_there_is_said_with_those_that_are() -> None:
    sight = sight_of(mlp(), vectors(20), "classifier")
    with pytest.raises(Unavailable, match="'classifier' is no module of the model; linear layers are 0, 2, 4"):
        sight.hidden("probe")


def test_a_convolution_may_be_the_head_with_a_row_per_position() -> None:
    model = nn.Sequential(nn.Unflatten(1, (1, 2, 4)), nn.Conv2d(1, 5, 1), nn.Conv2d(5, 4, 1))
    sight = sight_of(model, vectors(20), "2")
    assert tuple(sight.hidden("probe").shape) == (20 * 8, 5)


def test_a_model_without_a_linear_layer_has_no_head() -> None:
    model = nn.Sequential(nn.Unflatten(1, (1, 2, 4)), nn.Conv2d(1, 4, (2, 4)), nn.Flatten())
    with pytest.raises(Unavailable, match="head= names the module"):
        sight_of(model, vectors(20)).hidden("probe")


def test_blocks_are_children_with_containers_opened() -> None:
    assert list(blocks(SPECIMENS["tied"].model())) == ["words", "blocks.0", "blocks.1", "norm", "head"]
    assert list(blocks(nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))))) == ["0.0", "0.2"]
    deep = nn.Module()
    deep.layers = nn.ModuleList(nn.Linear(1, 1) for _ in range(MOST_BLOCKS + 1))
    deep.head = nn.Linear(1, 1)
    assert list(blocks(deep)) == ["layers", "head"]


def test_wrappers_are_taken_off() -> None:
    model = mlp()
    assert plain(torch.compile(nn.DataParallel(model), backend="eager")) is model


@pytest.mark.parametrize("output", [{"logits": torch.ones(2)}, (torch.ones(2), None), torch.ones(2)])
def test_predictions_are_found_in_what_models_return(output: object) -> None:
    assert torch.equal(main_tensor(output), torch.ones(2))


@pytest.mark.parametrize("output", [None, "text", torch.ones(2, dtype=torch.long), ()])
def test_what_holds_no_prediction_is_refused(output: object) -> None:
    with pytest.raises(Unavailable, match="no tensor of predictions"):
        main_tensor(output)
