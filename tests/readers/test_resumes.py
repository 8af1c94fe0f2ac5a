"""A training that is killed and resumed, from its log to its signals: the path that was abandoned is gone."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.readers import _read_source
from runopsy.readers.source import Source
from runopsy.signals import assign, measure

Row = tuple[int, str, float]  # step, metric, value


@st.composite
def trainings(draw: st.DrawFn) -> list[Row]:
    """The rows in the order in which they were written."""
    every, val_every = draw(st.integers(1, 5)), draw(st.integers(3, 20))
    rows: list[Row] = []
    start, end = 0, draw(st.integers(60, 120))
    for session in range(draw(st.integers(1, 3))):
        for step in range(start, end):
            if step % every == 0:
                rows.append((step, "train_loss", 10 * session + 1 / (1 + step)))
            if step % val_every == val_every - 1:
                rows.append((step, "val_loss", 10 * session + 2 / (1 + step)))
        again = draw(st.integers(5 * every, 50))  # at least five logged steps are trained again
        start, end = max(end - again, start), end + draw(st.integers(0, 60))
    return rows


def truth(rows: list[Row]) -> dict[str, dict[int, float]]:
    """What each session logged overrides whatever an earlier one logged at or after its own first step."""
    found: dict[str, dict[int, float]] = {}
    before = -1
    session_rows: list[list[Row]] = [[]]
    for row in rows:
        if row[0] < before:
            session_rows.append([])
        before = row[0]
        session_rows[-1].append(row)
    for mine in session_rows:
        first = mine[0][0]
        for metric in found.values():
            for step in [s for s in metric if s >= first]:
                del metric[step]
        for step, name, value in mine:
            found.setdefault(name, {})[step] = value
    return found


def sparse(rows: list[Row]) -> str:
    cells = {"train_loss": "{0},{1!r},", "val_loss": "{0},,{1!r}"}
    return "step,train_loss,val_loss\n" + "".join(cells[name].format(s, v) + "\n" for s, name, v in rows)


def lines(rows: list[Row]) -> str:
    return "".join(json.dumps({"step": s, name: v}) + "\n" for s, name, v in rows)


def long(rows: list[Row]) -> str:
    return "step,metric,value\n" + "".join(f"{s},{name},{v!r}\n" for s, name, v in rows)


def with_headers(rows: list[Row]) -> str:
    """As a script writes it that opens its file for appending."""
    header, *body = sparse(rows).splitlines(keepends=True)
    begins = [True, *(b[0] < a[0] for a, b in pairwise(rows))]
    return "".join(header + line if begin else line for line, begin in zip(body, begins, strict=True))


@pytest.mark.parametrize("form", [sparse, lines, long, with_headers])
@settings(max_examples=40)
@given(rows=trainings())
def test_only_the_path_that_was_kept_is_left(form, rows):
    run = _read_source(Source.from_bytes("log", form(rows).encode()))
    signals = measure(run, assign(run.tracks)).signals
    for name, role in (("train_loss", "train/loss"), ("val_loss", "val/loss")):
        wanted = truth(rows).get(name, {})
        kept = signals.get(role)
        found = {} if kept is None else dict(zip(kept.step.tolist(), kept.value.tolist(), strict=True))
        assert found == {float(step): value for step, value in sorted(wanted.items())}


@settings(max_examples=40)
@given(trainings())
def test_every_resume_is_reported_where_it_began(rows):
    run = _read_source(Source.from_bytes("log", sparse(rows).encode()))
    falls = [b[0] for a, b in pairwise(rows) if b[0] < a[0]]
    np.testing.assert_array_equal(measure(run, assign(run.tracks)).resumes, falls)
