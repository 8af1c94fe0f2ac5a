"""What the tests with real libraries share: a training in a process of its own, and what its log must hold."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runopsy.model import Run
from runopsy.signals import assign, with_sums

LONGEST = 900  # s that a script may take; the slowest takes half a minute of one core, and cores may be busy
# The index has torchvision for CUDA alone. Beside a torch for CPUs its operators are missing, and importing it fails.
TORCHVISION = """
import torch
try:
    import torchvision
except RuntimeError:
    def nms(boxes, scores, most):
        order, kept = scores.argsort(descending=True), []
        while len(order):
            first, order = order[0], order[1:]
            kept.append(first)
            a, b = boxes[first], boxes[order]
            inner = (torch.minimum(a[2:], b[:, 2:]) - torch.maximum(a[:2], b[:, :2])).clamp(min=0).prod(1)
            union = (a[2:] - a[:2]).prod() + (b[:, 2:] - b[:, :2]).prod(1) - inner
            order = order[inner / union <= most]
        return torch.stack(kept) if kept else order
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.library.impl("torchvision::nms", "cpu", nms)
    import torchvision
    torchvision.extension._has_ops = lambda: True
"""
# Runs a notebook and saves it with its outputs, as Jupyter does.
EXECUTE = """
import nbclient, nbformat
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
nbformat.write(notebook, "train.ipynb")
"""


def trained(folder: Path, libraries: str, script: str) -> str:
    """What a script printed that trained with libraries, in a folder and without a GPU or a network.

    Skips the test where one of them is not installed.
    """
    for library in libraries.split():
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    home = str(folder / "home")
    alone = {"HOME": home, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "agg",
             "YOLO_CONFIG_DIR": home, "YOLO_OFFLINE": "true", "OMP_NUM_THREADS": "1"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=folder,
        env={**os.environ, **alone},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def executed(folder: Path, libraries: str, *cells: str) -> Path:
    """A notebook of these cells, executed by a real Jupyter kernel."""
    wanted = [textwrap.dedent(cell).strip() for cell in cells]
    trained(folder, f"nbclient ipykernel {libraries}", f"CELLS = {wanted!r}\n{EXECUTE}")
    return folder / "train.ipynb"


def truth(folder: Path) -> Any:
    """What a script left in ``truth.json``: what the library itself holds."""
    return json.loads((folder / "truth.json").read_text())


def roles(run: Run) -> dict[str, str]:
    """Role → column."""
    return {role.role: role.track for role in assign(with_sums(run).tracks, None, None, run.config) if role.role}


def same(
    run: Run, name: str, values: Sequence[float], at: Iterable[float] | None = None, digits: int | None = None
) -> None:
    """Whether a column holds these values at these positions.

    Args:
        run: what was read.
        name: of the column.
        values: that the library holds.
        at: their positions; None: not compared.
        digits: behind the point that were printed; None: all of them.
    """
    track = run.tracks[name]
    printed = 1e-9 if digits is None else 0.51 * 10**-digits
    np.testing.assert_allclose(track.value, values, rtol=1e-6, atol=printed, err_msg=name)
    if at is not None:
        np.testing.assert_allclose(track.step, list(at), err_msg=name)
