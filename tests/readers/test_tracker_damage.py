"""Any damage to any tracker's log: a run, or an error of ours; soon, and in little memory."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patience import quick
from runopsy.errors import RunopsyError
from runopsy.readers import runs
from trackerfiles import SEEDS


@pytest.fixture(scope="module", params=SEEDS)
def seed(request, tmp_path_factory) -> tuple[Path, Path]:
    """(a folder with the log, the path to read)."""
    folder = tmp_path_factory.mktemp("seed")
    return folder, SEEDS[request.param](folder)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "log"


DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "insert", "repeat", "zero"]), st.floats(0, 1), st.integers(0, 255)
    ),
    min_size=1,
    max_size=6,
)


def damaged(data: bytes, damage: list[tuple[str, float, int]]) -> bytes:
    out = bytearray(data)
    for kind, where, byte in damage:
        at = int(where * len(out))
        if kind == "flip" and out:
            out[min(at, len(out) - 1)] ^= 1 << byte % 8
        elif kind == "set" and out:
            out[min(at, len(out) - 1)] = byte
        elif kind == "cut":
            del out[at:]
        elif kind == "insert":
            out[at:at] = bytes([byte]) * (1 + byte)
        elif kind == "repeat":
            out[at:at] = out[at : at + 4 * byte]
        elif kind == "zero":
            out[at : at + byte] = bytes(len(out[at : at + byte]))
    return bytes(out)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.floats(0, 1, exclude_max=True), DAMAGE)
def test_any_damage_is_a_run_or_an_error_of_ours(seed, copy, which, damage):
    folder, path = seed
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    files = sorted(file for file in copy.rglob("*") if file.is_file())
    file = files[int(which * len(files))]
    file.write_bytes(damaged(file.read_bytes(), damage))
    with quick(5):  # hundredths of a second, but for what goes in circles
        try:
            for candidate in runs(copy / path.relative_to(folder)):
                run = candidate.read()
                assert run.tracks
                assert all(len(track) and np.isfinite(track.step).all() for track in run.tracks.values())
        except RunopsyError as error:
            told = (error.message, error.hint)
            assert all(told)
