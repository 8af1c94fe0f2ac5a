"""Readers that other packages offer through an entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from runopsy import readers
from runopsy.errors import UnreadableLog

READER = """
import numpy as np
from runopsy.model import Run, Track

def recognises(source):
    return source.head.startswith(b"MINE")

def read(source):
    values = np.array([float(line) for line in source.text().splitlines()[1:]])
    track = Track("train/loss", np.arange(len(values), dtype=float), values)
    return Run(path=source.name, id=source.id, axis="step", tracks={"train/loss": track})
"""


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """Offers a module of a text as a reader."""

    def offer(text: str, name: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        point = EntryPoint(name="mine", value=name, group=readers.OTHERS)
        monkeypatch.setattr(readers, "entry_points", lambda group: [point] if group == readers.OTHERS else [])
        readers.others.cache_clear()

    yield offer
    readers.others.cache_clear()


def test_a_format_of_others_is_read_by_their_reader(offered, tmp_path):
    offered(READER, "reader_of_mine")
    log = tmp_path / "log.mine"
    log.write_text("MINE\n3\n2\n1\n")
    assert readers.read(log).tracks["train/loss"].value.tolist() == [3, 2, 1]


def test_what_theirs_does_not_recognise_is_ours(offered, tmp_path):
    offered(READER, "reader_of_mine_too")
    log = tmp_path / "log.csv"
    log.write_text("step,loss\n1,3\n2,2\n")
    assert readers.read(log).tracks["loss"].value.tolist() == [3, 2]


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [("raise RuntimeError('no luck')", "reader_that_raises", "no luck"), ("", "reader_that_is_none", "no recognises")],
)
def test_a_reader_that_cannot_be_loaded_is_named(offered, tmp_path, text, name, said):
    offered(text, name)
    log = tmp_path / "log.csv"
    log.write_text("step,loss\n1,3\n2,2\n")
    with pytest.raises(UnreadableLog, match=said):
        readers.read(log)
