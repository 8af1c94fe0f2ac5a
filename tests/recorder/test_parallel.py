"""Several processes train one model, and each records its share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("this torch has no torch.distributed", allow_module_level=True)

import parallel_loop as loop  # noqa: E402  # after the skips
from exact import assert_same, rounding  # noqa: E402
from patience import HANGS  # noqa: E402
from runopsy.recorder.place import ALONE, Place, place  # noqa: E402
from runopsy.store import read_run  # noqa: E402

PARAMETERS = 5 * 7 + 7 + 7 * 3 + 3  # of the model in parallel_loop, each a term of a norm
WARNED = "runopsy: "  # how each message of the recorder begins; the name alone may be that of a folder in a traceback


def run_all(folder: Path, world: int, kinds: str, dies: bool = False) -> Path:
    """Run all processes to their end."""
    command = [sys.executable, loop.__file__]
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(world), str(folder), kinds],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(world)
    ]  # fmt: skip
    try:
        for rank, process in enumerate(ranks):
            said, _ = process.communicate(timeout=HANGS)
            assert dies or process.returncode == 0, f"rank {rank}: {said}"
            assert WARNED not in said, f"rank {rank}: {said}"
    finally:
        for process in ranks:  # those that wait for one that failed
            process.kill()
            process.communicate()
    return folder


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """DDP and FSDP, each without the recorder and with it, by so many processes; each once, in any order of tests."""
    return cache(lambda world: run_all(tmp_path_factory.mktemp(f"ranks{world}"), world, "ddp,fsdp"))


@pytest.fixture(params=[2, pytest.param(4, marks=pytest.mark.slow)])
def trained(request: pytest.FixtureRequest, training: Callable[[int], Path]) -> tuple[int, Path]:
    """How many processes trained, and where."""
    return request.param, training(request.param)


def ends(trained: tuple[int, Path], kind: str, recording: bool) -> list[dict[str, Any]]:
    world, folder = trained
    return [torch.load(folder / f"{kind}-{recording}-{rank}.pt", weights_only=False) for rank in range(world)]


def true_pieces(world: int) -> list[tuple[float, float]]:
    """|G|² and tr Σ of every window but the first, from micro-batches taken one by one in one process.

    The naive twin: the gradient of each micro-batch of each rank, and the mean of all.
    """
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    found, b = [], loop.ROWS
    for step in range(loop.STEPS):
        each = []
        for rank in range(world):
            for x, y in loop.batches(step, rank):
                loss = torch.nn.functional.cross_entropy(model(x), y)
                each.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]))
        mean, n = torch.stack(each).mean(dim=0), len(each)
        small, big = float(torch.stack(each).square().sum(dim=1).mean()), float(mean.square().sum())
        found.append(((n * b * big - b * small) / (n * b - b), (small - big) / (1 / b - 1 / (n * b))))
        place = 0
        for weight in model.parameters():
            weight.grad = mean[place : place + weight.numel()].view_as(weight).clone()
            place += weight.numel()
        optimizer.step()
    return found[1:]


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_ranks_train_to_the_same_bits_with_and_without_the_recorder(trained: tuple[int, Path], kind: str) -> None:
    assert_same(ends(trained, kind, False), ends(trained, kind, True))


def test_nothing_is_counted_twice_and_the_noise_scale_is_that_of_all_micro_batches(trained: tuple[int, Path]) -> None:
    world, folder = trained
    run = read_run(folder / "ddp")
    assert (run.status, list(run.notes)) == ("finished", [])
    for name in ("train/loss", "lr", "grad/norm", "weights/norm", "batch_size"):
        assert run.tracks[name].step.tolist() == list(range(loop.STEPS)), f"{name} is counted once"
    norms = ends(trained, "ddp", True)[0]["norms"]
    np.testing.assert_allclose(run.tracks["grad/norm"].value, norms, rtol=rounding(PARAMETERS))
    truth = np.array(true_pieces(world))
    for name, values in zip(("gns/g2", "gns/s"), truth.T, strict=True):
        assert len(run.tracks[name]) == loop.STEPS - 1
        np.testing.assert_allclose(run.tracks[name].value, values, rtol=1e-3, atol=1e-5)
    said = json.loads((folder / "ddp/run.json").read_text())
    assert said["world"] == world
    assert f"{world} ranks" in said["signals"]["gns/s"]["source"]
    files = sorted(file.name for file in (folder / "ddp/signals").iterdir())
    assert files == [f"0000-{rank:05d}-000000.parquet" for rank in range(world)]


def test_the_shards_of_fsdp_add_up_to_the_whole(trained: tuple[int, Path]) -> None:
    _, folder = trained
    run = read_run(folder / "fsdp")
    assert list(run.notes) == []
    assert not [name for name in run.tracks if name.startswith("shard/")]
    (end, *_) = ends(trained, "fsdp", True)
    np.testing.assert_allclose(run.tracks["grad/norm"].value, end["norms"], rtol=rounding(PARAMETERS))
    whole = torch.cat([weight.flatten() for weight in end["weights"]]).norm()
    assert run.tracks["weights/norm"].value[-1] == pytest.approx(float(whole), rel=0.05), "one step before the end"
    said = json.loads((folder / "fsdp/run.json").read_text())["not_recorded"]
    assert "sharded" in said["weights/update_ratio"]
    assert "sharded" in said["gns/s"]


def test_a_rank_that_dies_leaves_a_readable_run(tmp_path: Path) -> None:
    run_all(tmp_path, 2, "dies", dies=True)
    run = read_run(tmp_path / "dies")
    assert run.tracks["train/loss"].step.tolist()[: loop.DIES_AT] == list(range(loop.DIES_AT))
    assert len(run.tracks["gns/s"]) >= loop.DIES_AT - 1
    assert files_of(tmp_path / "dies", rank=1), "what the dead rank had written is there"


def files_of(run: Path, rank: int) -> list[Path]:
    return [file for file in run.rglob("*") if file.is_file() and file.name.startswith(f"0000-{rank:05d}-")]


def test_alone_is_alone_whatever_a_scheduler_calls_its_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert place() == ALONE
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a job of torchrun")
    assert place() == Place(3, 8)
    assert os.environ["RANK"] == "3"
