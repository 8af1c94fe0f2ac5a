"""A table that is nothing but numbers is read alike by NumPy and by polars."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.readers import number_columns, runs
from runopsy.readers.dialect import layout
from runopsy.readers.formats import delimited
from runopsy.readers.number_columns import parse
from runopsy.readers.source import Source

HEADERS = [
    ("step", "epoch", "loss", "val_loss", "lr"),
    ("epoch", "loss", "accuracy", "time"),
    ("seed", "epoch", "loss", "acc"),  # several runs
    ("iteration", "batch", "loss"),
    ("loss", "val_loss"),  # no axis
    ("width", "train_loss", "test_loss"),  # a sweep over sizes
    ("Wall time", "Step", "Value"),
]


def written(names, rows):
    lines = [",".join(names), *(",".join(f"{cell:.6g}" for cell in row) for row in rows)]
    return "\n".join(lines) + "\n"


def said(path):
    found = []
    for candidate in runs(path):
        run = candidate.read()
        tracks = {n: (t.step.tolist(), np.nan_to_num(t.value, nan=-9e9).tolist()) for n, t in run.tracks.items()}
        marks = [(mark.kind, mark.step) for mark in run.marks]
        found.append((candidate.name, run.axis, tracks, marks, [n for n in run.notes if "NumPy" not in n]))
    return found


@given(st.sampled_from(HEADERS), st.integers(2, 30), st.integers(0, 10_000), st.booleans())
def test_numpy_and_polars_read_the_same_run(tmp_path_factory, names, height, seed, restarts):
    rng = np.random.default_rng(seed)
    rows = np.round(rng.uniform(0, 3, (height, len(names))), 4)
    counter = np.arange(height, dtype=float)
    rows[:, 0] = counter % max(height // 2, 1) if restarts else counter
    if names[0] == "seed":
        rows[:, 0], rows[:, 1] = counter // max(height // 2, 1), counter % max(height // 2, 1)
    path = tmp_path_factory.mktemp("table") / "log.csv"
    path.write_text(written(names, rows))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delimited, "_sooner_by_polars", lambda data: False)
        by_numpy = said(path)
        patched.setattr(delimited, "_sooner_by_polars", lambda data: True)
        assert said(path) == by_numpy
        patched.setattr(number_columns, "MOST_BYTES", 0)
        assert said(path) == by_numpy


CELLS = ["1", "-0.0", "+2", ".5", "5.", "1e-7", "1E+30", "1e400", "0.1234567890123456789", "nan", "-inf", " 3", "", "x"]


@given(st.lists(st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS)), min_size=1, max_size=4), st.booleans())
def test_small_tables_are_the_same_to_the_last_bit_by_either(rows, windows):
    end = "\r\n" if windows else "\n"
    data = end.join(["step,loss", *(",".join(row) for row in rows), ""]).encode()
    source = Source.from_bytes("log.csv", data)
    found = layout(["step,loss", "1,0.5"])
    with pytest.MonkeyPatch.context() as patched:
        tables = []
        for by_polars in (False, True):
            patched.setattr(delimited, "_sooner_by_polars", lambda data, chosen=by_polars: chosen)
            tables.append(delimited._plain(source, found))
    alone, sooner = tables
    assert type(alone) is type(sooner)
    if isinstance(alone, number_columns.NumberTable):
        assert alone.rows.tobytes() == sooner.rows.tobytes()
    elif alone is not None:
        assert alone.equals(sooner)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,\n2,3\n",
        "a,b\n1,x\n",
        "a,b\n1,2,3\n4,5,6\n",
        "a,b\n",
        "a,b\n1,2\n\n3,4\n",
        "a,b\n1,2\n# done\n",
    ],
)
def test_what_is_no_number_everywhere_is_left_to_others(text):
    assert parse(text.encode(), ",", 2) is None


def test_a_plain_log_is_judged_without_polars(tmp_path):
    path = tmp_path / "log.csv"
    epochs = np.arange(30.0)
    path.write_text(
        written(("epoch", "loss", "val_loss"), np.stack([epochs, np.exp(-epochs / 9), np.exp(-epochs / 8)], 1))
    )
    code = "import sys, runopsy.cli as c\ntry: c.main()\nexcept SystemExit: pass\nassert 'polars' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code, "analyze", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "HEALTHY" in done.stdout or "UNDERTRAINED" in done.stdout
