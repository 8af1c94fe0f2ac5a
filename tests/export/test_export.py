"""Tables of every series, and what trackers are given; their own readers are asked in tests/real/test_exports.py."""

import importlib.util
import json
import math

import numpy as np
import polars as pl
import pytest

import planted
from runopsy.autopsy import analyze
from runopsy.cli.options import Tracker
from runopsy.errors import BadOption
from runopsy.export import TARGETS, export
from runopsy.export.payload import PHASES, axis_series, counter, phase_points, png, png_size, series_of
from runopsy.model import Run, Track
from runopsy.readers import read
from runopsy.report.looks import PHASES as COLOURS


@pytest.fixture(scope="module")
def autopsy():
    return analyze(planted.grokking())


def broken():
    step = np.arange(40.0)
    loss = planted.noisy(planted.decay(step, scale=4.0), 0.02)
    loss[[20, 39]] = math.nan, math.inf
    return analyze(Run("b", "b", "step", {"train/loss": Track("train/loss", step, loss, 1e9 + step)}))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_holds_every_value_under_its_canonical_name(autopsy, tmp_path, suffix):
    path = tmp_path / f"series.{suffix}"
    assert export(autopsy, suffix, path) == (path,)
    table = (pl.read_csv if suffix == "csv" else pl.read_parquet)(path)
    assert table.columns == ["signal", "step", "time", "value", "phase"]
    for name, signal in autopsy.signals.items():
        mine = table.filter(pl.col("signal") == name)
        np.testing.assert_array_equal(mine["step"], signal.step)
        np.testing.assert_array_equal(mine["value"], signal.value)
    at = table.filter(pl.col("signal") == "val/acc").filter(pl.col("step") == 1000)["phase"].item()
    assert at == next(p.label for p in autopsy.phases if p.start <= 1000 < p.end)


def test_a_parquet_table_carries_the_autopsy(autopsy, tmp_path):
    export(autopsy, "parquet", tmp_path / "s.parquet")
    assert json.loads(pl.read_parquet_metadata(tmp_path / "s.parquet")["runopsy"])["verdict"] == "grokked"


def test_a_table_is_itself_a_log_that_is_read(autopsy, tmp_path):
    export(autopsy, "csv", tmp_path / "s.csv")
    assert analyze(read(tmp_path / "s.csv")).verdict.name == autopsy.verdict.name


def test_a_value_that_was_not_finite_is_nan_at_its_place():
    (loss,) = series_of(broken())
    assert np.flatnonzero(np.isnan(loss.value)).tolist() == [20, 39]
    np.testing.assert_array_equal(loss.step, np.arange(40.0))
    np.testing.assert_array_equal(loss.time[:20], 1e9 + np.arange(20))


def test_whole_steps_are_counted_by_themselves_and_fractions_by_rows(autopsy):
    count, whole = counter(autopsy, series_of(autopsy))
    assert whole
    assert count(1410.0) == 1410
    step = np.arange(30) / 4
    run = Run("e", "e", "epoch", {"train/loss": Track("train/loss", step, planted.decay(step, scale=2.0))})
    by_epoch = analyze(run)
    count, whole = counter(by_epoch, series_of(by_epoch))
    assert not whole
    assert [count(p) for p in (0.0, 0.25, 0.3, 7.25, 99.0)] == [0, 1, 1, 29, 29]
    assert axis_series(by_epoch, series_of(by_epoch)).value[29] == 7.25


def test_every_phase_has_a_number_and_is_drawn_as_a_step(autopsy):
    assert set(COLOURS) - {"other"} == set(PHASES)
    points = list(phase_points(autopsy, int))
    assert [number for _, number in points] == [PHASES[p.label] for p in autopsy.phases for _ in range(2)]
    assert [step for step, _ in points] == sorted({step for step, _ in points})


def test_the_picture_is_a_png_and_says_its_size(autopsy):
    content = png(autopsy)
    assert content.startswith(b"\x89PNG")
    assert png_size(content)[0] == round(6.75 * 150)


def test_every_target_is_an_option_and_the_other_way_round():
    assert [t.name for t in TARGETS] == [t.value for t in Tracker]


@pytest.mark.parametrize("target", [t for t in TARGETS if t.needs], ids=lambda t: t.name)
def test_a_tracker_that_is_not_installed_is_named_with_its_extra(autopsy, target, tmp_path):
    if importlib.util.find_spec(target.needs) is not None:
        pytest.skip(f"{target.needs} is installed")
    with pytest.raises(BadOption) as refused:
        export(autopsy, target.name, tmp_path / "out")
    assert target.needs in refused.value.message
    assert f"runopsy[{target.extra}]" in refused.value.hint
    assert not (tmp_path / "out").exists()


def test_an_unknown_target_and_a_place_that_cannot_be_written_are_refused(autopsy, tmp_path):
    with pytest.raises(BadOption, match="no tracker"):
        export(autopsy, "excel", tmp_path)
    with pytest.raises(BadOption, match="no name of a table"):
        export(autopsy, "csv", tmp_path / "series.txt")
    with pytest.raises(BadOption, match="cannot be written"):
        export(autopsy, "csv", tmp_path / "missing" / "series.csv")
