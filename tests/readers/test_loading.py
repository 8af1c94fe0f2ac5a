"""Readers are loaded when a source could be theirs: a glance must never refuse what its reader would recognise."""

import subprocess
import sys

import pytest

from runopsy.readers import READERS
from runopsy.readers.source import Source
from trackerfiles import SEEDS


@pytest.mark.parametrize("name", SEEDS)
def test_a_glance_refuses_nothing_that_a_reader_recognises(name, tmp_path):
    path = SEEDS[name](tmp_path)
    places = [path, *path.rglob("*")] if path.is_dir() else [path]
    for place in places:
        source = Source.from_folder(place) if place.is_dir() else Source.from_file(place)
        for reader in READERS:
            if reader._module().recognises(source):
                assert reader.could(source), (reader.name, place)


def test_a_plain_table_loads_few_readers(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("step,loss\n" + "".join(f"{i},{2 / (i + 1)}\n" for i in range(20)))
    script = (
        f"import sys, runopsy; runopsy.read({str(log)!r})\n"
        "print(*sorted(m.rpartition('.')[2] for m in sys.modules if m.startswith('runopsy.readers.formats.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["delimited"]
