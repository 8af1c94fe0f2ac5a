"""SIGKILL at random instants: whatever a call had returned for is in the run.

``python tests/recorder/test_kills.py 200`` runs 200 kills.
"""

from __future__ import annotations

import os
import random
import select
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from runopsy.store import read_run

SAID = struct.Struct("<iq")  # session, step: what the child tells after each call that has returned
READY, FINISHING = -1, -2  # in place of a step
CALLS = 1_500  # that a recorder killed in its loop has told of at most
# a part every 15 calls, so that some file is being rolled or compacted all the time; or one that gets so long that its
# end is mapped into memory, where that can be
ROWS_PER_PART = (60, 3000)
# s after the marker, for each moment to kill at; in the loop, a little more than its longest pause
LONGEST = {"start": 0.02, "loop": 0.005, "finish": 0.05}

CHILD = f"""
import os, sys, time
from pathlib import Path
import numpy, pyarrow.parquet  # or the first half second of every run would be spent importing them
from runopsy.recorder.session import Recording
from struct import pack

def say(step, session=0):
    os.write(1, pack("{SAID.format}", session, step))

folder, calls = Path(sys.argv[1]), int(sys.argv[2])
say({READY})
run = Recording(folder, None, {{"config": {{}}, "given": []}}, rows_per_part=int(sys.argv[3]))
session = run._journal.session
for step in range(calls):
    run.log(step, {{"a": step * 1.5, "b/" + str(step // 40): -step, "c": float("nan"), "d": session}})
    say(step, session)
    if step % 15 == 0:
        time.sleep(0.002)  # about as long as a part takes, so that the worker keeps up
say({FINISHING})
run.finish()
"""


@dataclass
class Toll:
    """What the kills have cost so far."""

    kills: int = 0
    values: int = 0  # whose call had returned
    lost: int = 0
    unreadable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kills} kills: {self.lost} values lost, {self.kills - len(self.unreadable)} readable"


def kill_many(count: int, folder: Path, seed: int = 0) -> Toll:
    """Kill ``count`` recorders, five in a row in each folder: the later ones resume what the kill has left."""
    rng, toll = random.Random(seed), Toll()
    returned: dict[int, int] = {}  # session → the last step whose call had returned
    for number in range(count):
        run = folder / f"run{number // 5}"
        if number % 5 == 0:
            returned = {}
        moment = rng.choice(["start", "loop", "loop", "finish"])
        rows = ROWS_PER_PART[number // 5 % 2]
        for session, step in kill_once(run, moment, rng.randrange(CALLS), rng.uniform(0, LONGEST[moment]), rows):
            returned[session] = step
        toll.kills += 1
        if run.exists() and any(run.iterdir()):  # else killed before anything was made
            account(run, returned, toll)
    return toll


def kill_once(run: Path, moment: str, step: int, delay: float, rows: int) -> list[tuple[int, int]]:
    """Start a recorder, kill it some time after a marker; what it said of the calls that had returned.

    In the loop the marker is a step, which a busy machine reaches later and reaches all the same.
    """
    calls = 120 if moment == "finish" else 1_000_000
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(run), str(calls), str(rows)], stdout=subprocess.PIPE, bufsize=0
    )
    assert child.stdout is not None
    pipe = child.stdout.fileno()
    marker = {"start": READY, "loop": step, "finish": FINISHING}[moment]
    said = b""
    while marker not in (told := [step for _, step in SAID.iter_unpack(whole(said))]):
        more = os.read(pipe, 1 << 16)
        assert more, f"the recorder ended by itself, after step {max(told, default=None)}"
        said += more
    until = time.perf_counter() + delay
    while (left := until - time.perf_counter()) > 0:
        if select.select([pipe], [], [], left)[0]:  # reading on, because a full pipe would stop the child
            more = os.read(pipe, 1 << 16)
            if not more:
                break  # it has finished
            said += more
    child.kill()
    said += child.stdout.read()
    child.wait()
    child.stdout.close()
    return [(session, step) for session, step in SAID.iter_unpack(whole(said)) if step >= 0]


def whole(said: bytes) -> bytes:
    """What was said, without a message of which only a part has come."""
    return said[: len(said) - len(said) % SAID.size]


def account(run: Path, returned: dict[int, int], toll: Toll) -> None:
    """Count what is missing of the values whose call had returned."""
    toll.values += 4 * sum(last + 1 for last in returned.values())
    try:
        tracks = read_run(run).tracks
    except Exception as cause:  # whatever it is, it is what the test looks for
        toll.unreadable.append(f"{run}: {cause!r}")
        return
    for session, last in returned.items():
        steps = np.arange(last + 1)
        expected = {"a": steps * 1.5, "c": np.full(last + 1, np.nan), "d": np.full(last + 1, float(session))}
        expected |= {f"b/{n}": -steps[steps // 40 == n] for n in range(last // 40 + 1)}
        for name, values in expected.items():
            first = 40 * int(name[2:]) if name.startswith("b/") else 0
            there = {}
            if name in tracks:
                mine = tracks[name].session == session
                there = dict(zip(tracks[name].step[mine], tracks[name].value[mine], strict=True))
            for step, value in enumerate(values, first):
                found = there.get(step)
                same = found is not None and (found == value or bool(np.isnan(found) and np.isnan(value)))
                toll.lost += not same


@pytest.mark.parametrize("kills", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_a_kill_at_any_instant_loses_nothing_whose_call_had_returned(tmp_path: Path, kills: int) -> None:
    toll = kill_many(kills, tmp_path)
    assert toll.unreadable == []
    assert toll.lost == 0
    assert toll.values > 500 * kills, "the recorders were killed before they had logged anything worth checking"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        outcome = kill_many(int(sys.argv[1]), Path(scratch), seed=int(time.time()))
    print(outcome, *outcome.unreadable, sep="\n")
    sys.exit(bool(outcome.lost or outcome.unreadable))
