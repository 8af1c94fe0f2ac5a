"""One process of a training with several: ``python parallel_loop.py RANK WORLD FOLDER KIND,KIND``.

Each kind (ddp, fsdp, dies) leaves its run in FOLDER/KIND, and where it ended in FOLDER/KIND-RECORDED-RANK.pt.
"""

from __future__ import annotations

import os
import random
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from runopsy.recorder import record

STEPS, ROWS, MICRO = 8, 6, 2  # optimizer steps, examples of a micro-batch, micro-batches of a step
DIES_AT = 5  # step at which the last rank is killed, in kind "dies"


def made(kind: str) -> nn.Module:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    if kind != "fsdp":
        return nn.parallel.DistributedDataParallel(plain)
    from torch.distributed.fsdp import fully_shard

    for layer in (plain[0], plain[2]):
        fully_shard(layer)
    fully_shard(plain)
    return plain


def batches(step: int, rank: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The micro-batches of one rank, the same in every run."""
    source = torch.Generator().manual_seed(1000 * step + rank)
    return [
        (torch.randn(ROWS, 5, generator=source), torch.randint(0, 3, (ROWS,), generator=source)) for _ in range(MICRO)
    ]


def main(rank: int, world: int, folder: Path, kinds: list[str]) -> None:
    """Train each kind without the recorder and with it; one that dies is only recorded."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    for kind in kinds:
        for recording in (False, True) if kind != "dies" else (True,):
            end = train(rank, world, folder / kind, kind, recording)
            torch.save(end, folder / f"{kind}-{recording}-{rank}.pt")
    dist.destroy_process_group()


def train(rank: int, world: int, run_folder: Path, kind: str, recording: bool) -> dict[str, Any]:
    """Everything that a later step could depend on, and the true norms of the gradients."""
    model = made(kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    random.seed(rank)
    options: dict[str, Any] = {"model": model, "optimizer": optimizer, "every": 1, "budget": None}
    run: Any = record(run_folder, **options) if recording else None
    norms = []
    for step in range(STEPS):
        if kind == "dies" and step == DIES_AT and rank == world - 1:
            os._exit(9)
        optimizer.zero_grad()
        for i, (x, y) in enumerate(batches(step, rank)):
            last = i == MICRO - 1
            with nullcontext() if last or kind == "fsdp" else model.no_sync():
                loss = nn.functional.cross_entropy(model(x), y) / MICRO
                loss.backward()
        norms.append(float(torch.nn.utils.get_total_norm([_full(p.grad) for p in model.parameters()])))
        if run is not None:
            run.step(step, {"train/loss": loss, "batch_size": ROWS * MICRO * world})
        optimizer.step()
    if run is not None:
        run.log(STEPS, {"val/loss": 1.0})
        run.finish()
    return {
        "weights": [_full(p) for p in model.parameters()],
        "gradients": [_full(p.grad) for p in model.parameters()],
        "moments": [_full(state["exp_avg"]) for state in optimizer.state.values()],
        "random": [torch.get_rng_state(), random.getstate()],
        "norms": norms,
    }


def _full(t: Any) -> Any:
    t = t.detach()
    return t.full_tensor() if hasattr(t, "full_tensor") else t.clone()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4].split(","))
