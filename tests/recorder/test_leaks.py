"""The recorder leaves nothing behind: no hook, no graph, no growing memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from runopsy.recorder import record  # noqa: E402
from runopsy.recorder.session import Recording  # noqa: E402

STEPS = 1_000  # of the test of memory, after as many to warm up; make bench-memory takes 20 000
GROWTH = 1.02
SIGNALS = "full"


class Loop:
    """A small classifier in training, recorded with everything; two micro-batches a step."""

    def __init__(self, folder: Path, **options: Any) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 3))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        batch = {name: (torch.randn(40, 6), torch.arange(40) % 3) for name in ("probe", "heldout", "canaries")}
        wanted = {"signals": SIGNALS, "every": 1, "budget": None, "loss_fn": nn.functional.cross_entropy}
        given = {"model": self.model, "optimizer": self.optimizer} | batch | wanted | options
        self.run: Recording = record(folder, **given)

    def step(self, step: int) -> torch.Tensor:
        self.optimizer.zero_grad()
        for _ in range(2):
            loss = nn.functional.cross_entropy(self.model(torch.randn(8, 6)), torch.arange(8) % 3) / 2
            loss.backward()
        self.run.step(step, {"train/loss": loss})
        self.optimizer.step()
        return loss

    def hooks(self) -> int:
        of_modules = sum(
            len(hooks)
            for module in self.model.modules()
            for name, hooks in vars(module).items()
            if name.endswith("_hooks") and isinstance(hooks, dict)
        )
        return of_modules + sum(len(weight._backward_hooks or ()) for weight in self.model.parameters())


def test_every_hook_is_gone_when_the_run_is_finished(tmp_path: Path) -> None:
    loop = Loop(tmp_path / "run", every=2)
    there = set()
    for step in range(6):
        loop.step(step)
        there.add(loop.hooks() > 0)
    assert there == {True, False}, "hooks are on in the window after a due step, and in no other"
    loop.step(6)
    assert loop.hooks() > 0
    loop.run.finish()
    assert loop.hooks() == 0


def test_every_hook_is_gone_after_an_exception_in_the_loop(tmp_path: Path) -> None:
    loop = Loop(tmp_path / "run")
    with pytest.raises(ZeroDivisionError), loop.run:  # noqa: PT012  # the loop fails in its middle
        loop.step(0)
        assert loop.hooks() > 0
        _ = 1 / 0
    assert loop.hooks() == 0


def test_every_hook_is_gone_when_a_probe_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(tmp_path / "run")
    loop.step(0)
    for running in loop.run._instruments._running:  # type: ignore[union-attr]  # it has a model
        window = getattr(running.gauge, "window", None)
        if window is not None:
            monkeypatch.setattr(type(window), "_factor", lambda _: 1 / 0)
    with pytest.warns(RuntimeWarning, match="cannot be measured any more"):
        loop.step(1)
    loop.step(2)
    assert loop.hooks() == 0


def test_no_graph_and_no_model_outlives_its_step(tmp_path: Path) -> None:
    loop = Loop(tmp_path / "run")
    for step in range(4):
        loss = loop.step(step)
        kept = weakref.ref(loss)
        del loss
        gc.collect()
        assert kept() is None, "and with it its graph"
    loop.run.finish()
    model = weakref.ref(loop.model)
    del loop
    gc.collect()
    assert model() is None, "the recorder keeps a model that the loop has let go of"


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(folder: Path) -> float:
    """Memory after twice as many steps, in units of what it was after ``STEPS``."""
    loop = Loop(folder, every=25)
    for step in range(STEPS):
        loop.step(step)
    gc.collect()
    before = resident()
    for step in range(STEPS, 2 * STEPS):
        loop.step(step)
    gc.collect()
    after = resident()
    loop.run.finish()
    return after / before


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
def test_memory_stays_flat(tmp_path: Path) -> None:
    """In a process of its own: what other tests have freed would hide what this one takes."""
    from patience import HANGS  # which that process, a script in this folder, does not find

    command = [sys.executable, __file__, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= GROWTH


if __name__ == "__main__":
    print(growth(Path(sys.argv[1])))
