"""A model that was lent is given back, whatever happened in between."""
# ruff: noqa: PT031  # a whole loop that warns once is what is tested

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder import record  # noqa: E402
from runopsy.recorder.borrowing import borrowed  # noqa: E402
from zoo import SPECIMENS, mlp, vectors  # noqa: E402


class Breaks(nn.Module):
    """Fails in evaluation mode, after it has changed what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.calls = nn.Linear(8, 6), nn.Linear(6, 4), 0
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen += 1
        if not self.training:
            self.extra = torch.ones(2)
            raise RuntimeError("only ever meant to train")
        return self.head(torch.tanh(self.body(x)))


def test_after_an_exception_everything_is_back(tmp_path: Path) -> None:
    model, (x, y) = Breaks(), vectors(40)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    options = {"loss_fn": nn.functional.cross_entropy, "signals": "full", "budget": None}
    with (
        pytest.warns(RuntimeWarning, match="only ever meant to train"),
        record(tmp_path / "run", model=model, probe=(x, y), **options) as run,
    ):
        run.step(0)
        run.step(1)
    assert model.training
    assert (model.calls, float(model.seen), hasattr(model, "extra")) == (0, 0, False)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(isinstance(p, nn.Parameter) for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not any(p._backward_hooks for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_hooks_on_the_real_parameters_stay_silent_and_gradients_stay_theirs() -> None:
    model, (x, _) = mlp(), vectors(4)
    fired = []
    for weight in model.parameters():
        weight.register_hook(lambda g: fired.append(1))
        weight.register_post_accumulate_grad_hook(lambda p: fired.append(1))
    with borrowed(model) as lent:
        lent(x).sum().backward()
        assert all(p.grad is not None for p in lent.parameters())
    assert fired == []
    assert all(p.grad is None for p in model.parameters())


def test_tied_weights_stay_tied_while_lent() -> None:
    model = SPECIMENS["tied"].model()
    with borrowed(model):
        assert model.head.weight is model.words.weight
        assert model.head.weight.data_ptr() == next(model.parameters()).data_ptr()


def test_a_model_that_trains_part_of_itself_in_evaluation_mode_gets_its_modes_back() -> None:
    model = SPECIMENS["convnet"].model()
    model[2].eval()
    before = [m.training for m in model.modules()]
    with borrowed(model):
        assert not any(m.training for m in model.modules())
    assert [m.training for m in model.modules()] == before


def test_a_warning_of_the_loop_is_said_once_and_not_again_after_each_reading() -> None:
    def warn() -> None:
        warnings.warn("said once", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            warn()
            with borrowed(mlp()):
                warnings.warn("of no use to anybody", UserWarning, stacklevel=1)
    assert [str(one.message) for one in caught] == ["said once"]


class Sharded(Tensor):
    def to_local(self) -> None: ...


def sharded() -> nn.Module:
    model = nn.Linear(2, 2)
    model.weight = nn.Parameter(torch.ones(2, 2).as_subclass(Sharded))
    return model


@pytest.mark.parametrize(("make", "text"), [(sharded, "sharded"), (lambda: nn.LazyLinear(3), "not initialised")])
def test_a_model_that_cannot_be_run_alone_is_not_lent(make: object, text: str) -> None:
    with pytest.raises(Unavailable, match=text), borrowed(make()):
        pass


def in_graphs() -> int:
    """Tensors of this process that hang in a graph; other tests may have left some."""
    gc.collect()
    return sum(issubclass(type(o), Tensor) and o.grad_fn is not None for o in gc.get_objects())


@pytest.mark.parametrize("name", ["convnet", "tied"])
def test_no_graph_and_no_tensor_is_kept_from_one_step_to_the_next(tmp_path: Path, name: str) -> None:
    specimen = SPECIMENS[name]
    model = specimen.model()
    optimizer = specimen.optimizer(model)
    batches = {side: specimen.batch(30) for side in ("probe", "heldout", "canaries")}
    counts, graphs, others = [], [], in_graphs()
    run = record(
        tmp_path / "run",
        model=model,
        optimizer=optimizer,
        loss_fn=specimen.loss_fn,
        **batches,
        signals="full",
        every=1,
        budget=None,
    )
    with run:
        for step in range(15):
            x, y = specimen.batch(16)
            optimizer.zero_grad()
            loss = specimen.loss_fn(model(x), y)
            loss.backward()
            loss = loss.detach()
            run.step(step, {"train/loss": loss})
            optimizer.step()
            if step in (8, 14):  # a curvature with its error is read at every sixth step, and keeps its direction
                graphs.append(in_graphs())
                counts.append(sum(issubclass(type(o), Tensor) for o in gc.get_objects()))
    assert len(set(counts)) == 1, counts
    assert set(graphs) == {others}
