"""Logs that trackers are still writing: after each look the run has what was written until then."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers.growing import Growing

pytestmark = pytest.mark.filterwarnings("ignore")  # of the trackers' own libraries
# Each writes ROWS rows, stops for a line on its standard input, writes as many more, and again.
BODIES = {
    "tensorboard": """
        from tensorboard.summary import Writer
        writer = Writer("log")
        def log(i): writer.add_scalar("train/loss", 1 / (1 + i), i); writer.flush()
    """,
    "mlflow": """
        import mlflow, logging
        logging.disable()
        mlflow.set_tracking_uri("sqlite:///log")
        mlflow.set_experiment("e")
        mlflow.start_run()
        def log(i): mlflow.log_metric("train/loss", 1 / (1 + i), step=i)
    """,
    "wandb": """
        import wandb
        run = wandb.init(mode="offline", dir="log", settings=wandb.Settings(silent=True, console="off"))
        def log(i): run.log({"train/loss": 1 / (1 + i)}, step=i)
    """,
}
LOOP = """
import os, sys
os.makedirs("log", exist_ok=True) if {folder} else None
{body}
for i in range(3 * {rows}):
    log(i)
    if i % {rows} == {rows} - 1:
        print("wrote", flush=True)
        sys.stdin.readline()
"""
ROWS = 30


@pytest.mark.parametrize("library", BODIES)
def test_what_a_tracker_has_written_so_far_is_read(tmp_path, library):
    pytest.importorskip(library)
    body = textwrap.dedent(BODIES[library])
    script = LOOP.format(body=body, rows=ROWS, folder=library != "mlflow")
    writer = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    seen, amounts = [], []
    with Growing(str(tmp_path / "log")) as log:
        for _ in range(3):
            assert writer.stdout.readline().strip().endswith("wrote")
            amounts.append(log.amount())
            seen.append(rows_of(log))
            writer.stdin.write("\n")
            writer.stdin.flush()
        writer.stdin.close()
        writer.wait(120)
        assert rows_of(log) == 3 * ROWS
    assert seen == sorted(seen)
    if library != "wandb":  # whose own process writes in blocks, and the newest rows later
        assert seen == [ROWS, 2 * ROWS, 3 * ROWS]
    assert amounts == sorted(amounts)


def rows_of(log):
    """How many rows can be read by now, each with its value."""
    try:
        track = log.read().tracks["train/loss"]
    except UnreadableLog:
        return 0
    np.testing.assert_allclose(track.value, 1 / (1 + track.step), rtol=1e-6)
    return len(track)
