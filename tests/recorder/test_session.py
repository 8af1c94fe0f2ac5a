"""The object in the loop: what it promises to the loop, whatever happens around it."""
# ruff: noqa: PT012, PT031  # a whole loop that warns once, or fails in the middle, is what is tested

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runopsy
from patience import HANGS
from runopsy.errors import BadOption, RunExists
from runopsy.recorder import journal, record
from runopsy.recorder import session as module
from runopsy.recorder.compaction import journals
from runopsy.recorder.session import Recording
from runopsy.store import JOURNAL, SIGNALS, files, read_run

# Python 3.12 and later warn of a fork beside threads, which numpy and torch always have
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

Start = Callable[..., Recording]
Manifest = Callable[[], dict[str, Any]]


def pairs(folder: Path, name: str = "a") -> list[tuple[float, float]]:
    track = read_run(folder).tracks[name]
    return list(zip(track.step.tolist(), track.value.tolist(), strict=True))


def names(folder: Path) -> set[str]:
    """The signals of a run, but for what the recorder says of itself."""
    return {name for name in read_run(folder).tracks if not name.startswith("recorder/")}


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder with its bytes and time stamp."""
    return {
        str(path): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
    }


def script(text: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a training script of its own."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANGS, **options)


class Clock:
    """A stopwatch that a test winds by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def broken_disk(*_: object, **__: object) -> int:
    raise OSError(28, "No space left on device")


# --- what may be logged --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, 0.25),
        (3, 3.0),
        (True, 1.0),
        (-0.0, -0.0),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (5e-324, 5e-324),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float16(0.5), 0.5),
        (np.int64(7), 7.0),
        (np.bool_(True), 1.0),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (Fraction(1, 4), 0.25),
        (Decimal("0.5"), 0.5),
    ],
)
def test_every_kind_of_number_is_recorded(start: Start, value: Any, expected: float) -> None:
    run = start()
    run.log(0, {"a": value})
    ((_, found),) = pairs(run.path)
    assert struct.pack("<d", found) == struct.pack("<d", expected)


def test_a_nan_keeps_all_its_bits(start: Start) -> None:
    odd = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_DEAD_BEEF))[0]
    run = start()
    run.log(0, {"a": odd})
    run.finish()
    assert struct.pack("<d", pairs(run.path)[0][1]) == struct.pack("<d", odd)


def test_tensors_are_recorded_with_and_without_a_gradient(start: Start) -> None:
    torch = pytest.importorskip("torch")
    run = start()
    loss = (torch.ones(3, requires_grad=True) * 0.5).sum()
    half = torch.tensor(0.5, dtype=torch.bfloat16)
    leaf = torch.tensor(2.0, requires_grad=True)
    run.log(
        torch.tensor(4), {"loss": loss, "half": half, "leaf": leaf, "count": torch.tensor(3), "one": torch.ones(1, 1)}
    )
    run.log(np.int32(5), {"loss": loss.detach()})
    assert pairs(run.path, "loss") == [(4, 1.5), (5, 1.5)]
    found = [pairs(run.path, name)[0][1] for name in ("half", "leaf", "count", "one")]
    assert found == [0.5, 2.0, 3.0, 1.0]
    assert loss.grad_fn is not None


def test_a_tensor_changed_in_place_after_the_call_keeps_its_old_value(start: Start) -> None:
    torch = pytest.importorskip("torch")
    run, total, array = start(), torch.tensor(1.0), np.array(1.0)
    run.step(0, {"a": total, "b": array})
    total.add_(5)
    array += 5
    run.step(1, {"a": total, "b": array})
    assert pairs(run.path, "a") == pairs(run.path, "b") == [(0, 1), (1, 6)]


def test_none_is_skipped_without_a_word(start: Start, manifest: Manifest) -> None:
    run = start()
    run.log(0, {"a": 1.0, "b": None})
    run.finish()
    assert names(run.path) == {"a"}
    assert manifest()["refused"] == 0


class Stubborn:
    def item(self) -> float:
        raise ZeroDivisionError("no value here")


@pytest.mark.parametrize(
    "value",
    ["0.5", b"1", [1.0], np.zeros(2), np.zeros(0), 1j, object(), {"a": 1}, 10**400, Stubborn()],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_refused_and_harms_no_other(
    start: Start, manifest: Manifest, capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    run = start()
    with pytest.warns(RuntimeWarning, match="'bad' at step 0") as caught:
        for step in range(3):
            run.log(step, {"before": 1.0, "bad": value, "after": 2.0})
    assert len(caught) == 1
    assert caught[0].filename == __file__, "the warning should point at the loop's own line"
    run.finish()
    assert names(run.path) == {"before", "after"}
    assert pairs(run.path, "after") == [(0, 2), (1, 2), (2, 2)]
    assert (manifest()["refused"], manifest()["dropped"]) == (3, 0)
    assert "3 values were no numbers" in capsys.readouterr().err


def test_tensors_that_are_no_scalar_are_refused(start: Start, manifest: Manifest) -> None:
    torch = pytest.importorskip("torch")
    run = start()
    with pytest.warns(RuntimeWarning):
        run.log(
            0, {"vector": torch.zeros(3), "complex": torch.tensor(1j), "meta": torch.empty((), device="meta"), "a": 1.0}
        )
    run.finish()
    assert names(run.path) == {"a"}
    assert manifest()["refused"] == 3


@pytest.mark.parametrize("step", [None, "x", math.nan, 2**63])
def test_a_step_that_is_no_number_costs_that_call_only(start: Start, manifest: Manifest, step: Any) -> None:
    run = start()
    with pytest.warns(RuntimeWarning):
        run.log(step, {"a": 1.0, "b": 1.0})
    run.log(1, {"a": 2.0})
    run.finish()
    assert pairs(run.path) == [(1, 2)]
    assert manifest()["dropped"] == 2


def test_values_that_are_no_mapping_cost_that_call_only(start: Start, manifest: Manifest) -> None:
    run = start()
    with pytest.warns(RuntimeWarning):
        run.log(0, 0.5)  # type: ignore[arg-type]  # the mistake this is about
    run.log(1, {"a": 2.0})
    run.finish()
    assert pairs(run.path) == [(1, 2)]
    assert manifest()["dropped"] == 1


def test_names_of_any_kind_are_kept(start: Start) -> None:
    run = start()
    given = ["a/b/c", "zwei Wörter", 'quo"te', "line\nbreak", "\ud800", ""]
    run.log(0, dict.fromkeys(given, 1.0))
    before = names(run.path)
    run.finish()
    assert before == names(run.path) == {*given[:4], "\\ud800", ""}


def test_threads_that_log_at_once_lose_nothing(start: Start) -> None:
    run = start(rows_per_part=700)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def work(thread: int) -> None:
        for step in range(2000):
            run.log(
                step, {f"t{thread}": step * 2.0, "shared": thread, f"t{thread}/{step // 20}": 1.0}
            )  # new names: the slow path

    try:
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    run.finish()
    tracks = read_run(run.path).tracks
    for thread in range(4):
        assert pairs(run.path, f"t{thread}") == [(step, step * 2) for step in range(2000)]
        assert [len(tracks[f"t{thread}/{n}"]) for n in range(100)] == [20] * 100
    assert sorted(tracks["shared"].value) == sorted([0.0, 1.0, 2.0, 3.0] * 2000)


# --- how a run ends ------------------------------------------------------------------------------


def test_a_run_that_ends_well_is_finished(tmp_path: Path, manifest: Manifest) -> None:
    with record(tmp_path / "run", config={"lr": 0.1}) as run:
        run.log(0, {"a": 1.0})
        assert manifest()["status"] == "running"
    said = manifest()
    assert (said["status"], said["dropped"], said["config"], said["trouble"]) == ("finished", 0, {"lr": 0.1}, None)
    assert said["ended"] >= said["started"] > 1.6e9
    assert said["environment"]["python"].startswith("3.")
    assert said["sessions"][0]["status"] == "finished"
    assert journals(run.path) == []
    assert not list(run.path.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("loss is nan"), "failed", {"type": "ValueError", "message": "loss is nan", "step": 0}),
        (KeyboardInterrupt(), "interrupted", {"type": "KeyboardInterrupt", "message": "", "step": 0}),
        (SystemExit(3), "failed", {"type": "SystemExit", "message": "3", "step": 0}),
        (SystemExit(0), "finished", None),
    ],
)
def test_an_error_of_the_loop_is_noted_and_not_swallowed(
    tmp_path: Path, manifest: Manifest, error: BaseException, status: str, text: dict[str, Any] | None
) -> None:
    with pytest.raises(type(error)) as caught, record(tmp_path / "run") as run:
        run.log(0, {"a": 1.0})
        raise error
    assert caught.value is error
    assert (manifest()["status"], manifest()["exception"]) == (status, text)
    assert pairs(tmp_path / "run") == [(0, 1)]


def test_an_error_that_cannot_even_be_printed_is_not_replaced(tmp_path: Path, manifest: Manifest) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with pytest.warns(RuntimeWarning), pytest.raises(Mute), record(tmp_path / "run"):
        raise Mute
    assert (manifest()["status"], manifest()["exception"]["type"]) == ("failed", "Mute")


def test_finishing_twice_is_harmless(tmp_path: Path, manifest: Manifest) -> None:
    with record(tmp_path / "run") as run:
        run.log(0, {"a": 1.0})
        run.finish("interrupted")
        before = snapshot(tmp_path)
    run.finish()
    assert snapshot(tmp_path) == before
    assert manifest()["status"] == "interrupted"


def test_logging_after_the_end_is_said_once(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 1.0})
    run.finish()
    with pytest.warns(RuntimeWarning, match="after finish") as caught:
        run.log(1, {"a": 2.0})
        run.step(2)
        run.event(3, "late")
    assert len(caught) == 1
    assert pairs(tmp_path / "run") == [(0, 1)]


UNCLOSED = """
import sys
from pathlib import Path
from runopsy.recorder.session import Recording
run = Recording(Path(sys.argv[1]), None, {"config": {}, "given": []}, rows_per_part=int(sys.argv[2]))
for step in range(100):
    run.log(step, {"a": step, "b": 1.0})
"""


@pytest.mark.parametrize("rows_per_part", [30, 1_000_000])
def test_a_script_that_never_closes_its_run_loses_nothing(
    tmp_path: Path, rows_per_part: int, manifest: Manifest
) -> None:
    ended = script(UNCLOSED, tmp_path / "run", rows_per_part)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert manifest()["status"] == "unclosed"
    assert pairs(tmp_path / "run") == [(step, step) for step in range(100)]
    assert journals(tmp_path / "run") == []


def test_a_script_that_dies_of_an_error_is_closed_too(tmp_path: Path, manifest: Manifest) -> None:
    ended = script(UNCLOSED + "1 / 0", tmp_path / "run", 30)
    assert "ZeroDivisionError" in ended.stderr
    assert manifest()["status"] == "failed"
    assert len(pairs(tmp_path / "run")) == 100


def test_a_script_that_logs_while_the_interpreter_goes_down_loses_nothing(tmp_path: Path) -> None:
    late = "import atexit\natexit.register(lambda: [run.log(step, {'a': step}) for step in range(100, 200)])"
    ended = script(UNCLOSED + late, tmp_path / "run", 30)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(pairs(tmp_path / "run")) == 200


def test_ctrl_c_while_the_run_is_being_closed_leaves_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: Manifest
) -> None:
    def impatient(*_: object) -> None:
        raise KeyboardInterrupt

    run = record(tmp_path / "run")
    run.log(0, {"a": 1.0})
    monkeypatch.setattr("runopsy.recorder.journal.compact", impatient)
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    assert manifest()["status"] == "finished"
    assert pairs(tmp_path / "run") == [(0, 1)]


# --- paths ---------------------------------------------------------------------------------------


def test_an_existing_run_is_refused_by_name_and_left_alone(tmp_path: Path) -> None:
    with record(tmp_path / "run") as run:
        run.log(0, {"a": 1.0})
    before = snapshot(tmp_path)
    with pytest.raises(RunExists, match=re.escape(str(tmp_path / "run"))) as caught:
        record(tmp_path / "run")
    assert "resume=True" in caught.value.hint
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["folder", "file", "foreign manifest", "dangling link"])
def test_resuming_what_is_no_run_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    if kind == "file":
        path.write_text("precious")
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.mkdir()
        (path / ("run.json" if kind == "foreign manifest" else "thesis.tex")).write_text('{"name": "precious"}')
    before = None if kind == "dangling link" else snapshot(tmp_path)
    with pytest.raises(RunExists, match=re.escape(str(path))):
        record(path, resume=True)
    assert kind == "dangling link" or snapshot(tmp_path) == before


def test_resuming_a_run_of_a_later_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    with record(tmp_path / "run"):
        pass
    said = json.loads((tmp_path / "run/run.json").read_text())
    (tmp_path / "run/run.json").write_text(json.dumps(said | {"format": 2}))
    before = snapshot(tmp_path)
    with pytest.raises(RunExists, match="version 2"):
        record(tmp_path / "run", resume=True)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("left", [None, [], ["signals"], ["signals", "journal"]])
def test_resuming_starts_a_run_where_there_is_none_yet(
    tmp_path: Path, left: list[str] | None, manifest: Manifest
) -> None:
    """A job that is requeued says resume=True from the first time on; it may have been killed very early."""
    for name in [] if left is None else ["", *left]:
        (tmp_path / "run" / name).mkdir(parents=True, exist_ok=True)
    if left:
        (tmp_path / "run" / "run.json.tmp").write_text('{"for')
    with record(tmp_path / "run", resume=True) as run:
        run.log(0, {"a": 1.0})
    assert pairs(tmp_path / "run") == [(0, 1)]
    assert manifest()["sessions"][0]["session"] == 0


def test_a_resumed_run_may_go_back_and_both_sessions_stay(tmp_path: Path, manifest: Manifest) -> None:
    with record(tmp_path / "run", config={"lr": 0.1}) as run:
        for step in range(6):
            run.log(step, {"a": step, "once": 1.0})
    first = manifest()
    with record(tmp_path / "run", resume=True) as run:
        for step in range(3, 9):
            run.log(step, {"new": 1.0, "a": step + 0.5})
    track = read_run(tmp_path / "run").tracks["a"]
    assert list(track.step) == [0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8]
    assert list(track.value) == [0, 1, 2, 3, 4, 5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5]
    assert list(track.session) == [0] * 6 + [1] * 6
    said = manifest()
    assert [said["started"], said["id"], said["config"]] == [first["started"], first["id"], {"lr": 0.1}]
    assert [session["session"] for session in said["sessions"]] == [0, 1]


def test_what_an_earlier_session_lost_is_still_said_after_a_resume(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.warns(RuntimeWarning), record(tmp_path / "run") as run:
        run.log("x", {"a": 1.0})  # type: ignore[arg-type]  # the mistake that loses a value
        run.log(0, {"a": "text"})  # type: ignore[dict-item]
    with record(tmp_path / "run", resume=True):
        pass
    assert (manifest()["dropped"], manifest()["refused"]) == (1, 1)


def test_a_resume_after_a_kill_compacts_what_was_left(tmp_path: Path, manifest: Manifest) -> None:
    killed = script(UNCLOSED + "import os; os.kill(os.getpid(), 9)", tmp_path / "run", 1000)
    assert killed.returncode == -signal.SIGKILL
    assert len(journals(tmp_path / "run")) == 1
    assert manifest()["status"] == "running"
    run = record(tmp_path / "run", resume=True)
    assert journals(tmp_path / "run") == []
    run.finish()
    assert pairs(tmp_path / "run") == [(step, step) for step in range(100)]
    assert [session.get("status") for session in manifest()["sessions"]] == [None, "finished"]


def test_one_bad_leftover_does_not_stop_a_resume(tmp_path: Path) -> None:
    killed = script(UNCLOSED + "import os; os.kill(os.getpid(), 9)", tmp_path / "run", 1000)
    assert killed.returncode == -signal.SIGKILL
    (tmp_path / "run" / JOURNAL / "0000-backup.wal").write_bytes(b"x")
    with pytest.warns(RuntimeWarning), record(tmp_path / "run", resume=True) as run:
        run.log(200, {"a": 200})
    assert len(pairs(tmp_path / "run")) == 101
    assert read_run(tmp_path / "run").status == "finished"


def test_a_damaged_manifest_does_not_stop_a_resume(tmp_path: Path) -> None:
    with record(tmp_path / "run") as run:
        run.log(0, {"a": 1.0})
    (tmp_path / "run/run.json").write_text('{"format": 1, "sessions": [{"session": "x"}, 3], "dropped": "many"}')
    with record(tmp_path / "run", resume=True) as run:
        run.log(1, {"a": 2.0})
    assert list(read_run(tmp_path / "run").tracks["a"].session) == [0, 1]


def test_a_script_may_change_its_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with record("run") as run:
        os.chdir("elsewhere")
        run.log(0, {"a": 1.0})
    assert pairs(tmp_path / "run") == [(0, 1)]
    assert os.listdir(tmp_path / "elsewhere") == []


def test_an_old_session_that_ends_late_leaves_the_new_ones_summary(tmp_path: Path, manifest: Manifest) -> None:
    old = record(tmp_path / "run")
    old.log(0, {"a": 0.0})
    assert old._taken is not None
    old._taken.release()  # as on a file system without locks
    new = record(tmp_path / "run", resume=True, config={"new": 1})
    new.log(1, {"a": 1.0})
    old.log(2, {"a": 2.0})
    old.finish("interrupted")
    said = manifest()
    assert (said["status"], said["config"]) == ("running", {"new": 1})
    assert [session.get("status") for session in said["sessions"]] == ["interrupted", None]
    new.finish()
    assert [session["status"] for session in manifest()["sessions"]] == ["interrupted", "finished"]
    assert list(read_run(tmp_path / "run").tracks["a"].value) == [0, 2, 1]


def test_a_forgotten_recording_does_not_touch_the_run_that_took_its_place(tmp_path: Path, manifest: Manifest) -> None:
    """A notebook: the folder is deleted, the cell runs again, and the first object is still about."""
    old = record(tmp_path / "run")
    old.log(0, {"a": 0.0, "old": 1.0})
    shutil.rmtree(tmp_path / "run")
    new = record(tmp_path / "run", config={"new": 1})
    new.log(0, {"b": 1.0})
    with pytest.warns(RuntimeWarning, match="another run"):
        old.finish()
    assert (manifest()["status"], manifest()["config"]) == ("running", {"new": 1})
    new.finish()
    assert names(tmp_path / "run") == {"b"}


# --- trouble -------------------------------------------------------------------------------------


def test_on_a_full_disk_training_goes_on_and_nothing_is_lost_once_there_is_room(
    tmp_path: Path,
    some_os: Callable[..., object],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    manifest: Manifest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = record(tmp_path / "run")
    with pytest.warns(RuntimeWarning, match="No space left") as caught, monkeypatch.context() as patch:
        patch.setattr("runopsy.recorder.journal.os", some_os(write=broken_disk))
        for step in range(50):
            clock.now += 0.1
            run.log(step, {"a": step})
    assert len(caught) == 1
    clock.now += 10
    run.log(50, {"a": 50})
    assert pairs(run.path) == [(step, step) for step in range(51)]
    run.finish()
    assert pairs(run.path) == [(step, step) for step in range(51)]
    assert (manifest()["dropped"], manifest()["trouble"]) == (0, "No space left on device")
    assert capsys.readouterr().err == ""


def test_on_a_disk_that_stays_full_the_loss_is_counted_and_said_at_the_end(
    tmp_path: Path,
    some_os: Callable[..., object],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    manifest: Manifest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 0})
    with pytest.warns(RuntimeWarning) as caught:
        monkeypatch.setattr("runopsy.recorder.journal.os", some_os(write=broken_disk))
        for step in range(1, 50):
            clock.now += 0.1
            run.log(step, {"a": step, "b": 1.0})
        run.finish()
    assert len(caught) == 1
    assert pairs(run.path) == [(0, 0)]
    assert manifest()["dropped"] == 98
    assert "98 values were lost (No space left on device)" in capsys.readouterr().err
    assert any("lost 98 values" in note for note in read_run(run.path).notes)


@pytest.mark.parametrize("below", ["file.txt/run", "file.txt/deep/er/run"])
def test_a_folder_that_cannot_be_made_is_no_error_of_the_loop(
    tmp_path: Path, below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.txt").write_text("in the way")
    with pytest.warns(RuntimeWarning) as caught, record(tmp_path / below) as run:
        for step in range(10):
            run.step(step, {"a": 1.0})
            run.event(step, "tried")
    assert len(caught) == 1
    assert "10 values were lost" in capsys.readouterr().err
    assert (tmp_path / "file.txt").read_text() == "in the way"


@forks
@pytest.mark.parametrize("mode", [0o555, 0o000])
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_somebody_else_is_no_error_of_the_loop(mode: int, resume: bool) -> None:
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        theirs = Path(top) / "theirs"
        theirs.mkdir()
        theirs.chmod(mode)
        child = os.fork()  # in a process of its own, because root may write everywhere
        if not child:
            outcome = 1
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    with record(theirs / "run", resume=resume) as run:
                        run.log(0, {"a": 1.0})
                        run.event(1, "tried")
                outcome = 0 if len(caught) == 1 and set(run._counts().values()) == {0, 1} else 2
            finally:
                os._exit(outcome)
        assert os.waitpid(child, 0)[1] == 0
        theirs.chmod(0o755)
        assert os.listdir(theirs) == []


def test_a_folder_deleted_in_the_middle_is_made_again(
    tmp_path: Path, clock: Clock, manifest: Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.warns(RuntimeWarning, match="was deleted") as caught, record(tmp_path / "run") as run:
        for step in range(100):
            if step == 50:
                shutil.rmtree(tmp_path / "run")
            clock.now += 0.04
            run.log(step, {"a": step})
            run.event(step, "tick")
    assert len(caught) == 1
    kept = pairs(tmp_path / "run")
    assert kept == [(step, step) for step in range(100 - len(kept), 100)]
    assert manifest()["dropped"] == 100 - len(kept) <= 50 + 13  # the file is looked at twice a second
    assert f"{100 - len(kept)} values were lost" in capsys.readouterr().err
    assert manifest()["status"] == "finished"


def test_warnings_that_the_user_made_errors_do_not_reach_the_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with record(tmp_path / "run") as run:
            run.log(0, {"a": "text", "b": 1.0})  # type: ignore[dict-item]  # the mistake this is about
    assert "'a' at step 0 is no number" in capsys.readouterr().err
    assert pairs(tmp_path / "run", "b") == [(0, 1)]


@pytest.mark.parametrize("stream", ["closed", "broken", "none"])
def test_a_stderr_that_cannot_be_written_does_not_reach_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    class Full:
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None: ...

    closed = open(os.devnull, "w")  # noqa: SIM115  # closed on the next line
    closed.close()
    monkeypatch.setattr(sys, "stderr", {"closed": closed, "broken": Full(), "none": None}[stream])
    with pytest.warns(RuntimeWarning), record(tmp_path / "run") as run:
        run.log(0, {"a": "text"})  # type: ignore[dict-item]  # the mistake this is about


def test_memory_that_runs_out_in_the_middle_of_a_call_does_not_reach_the_loop(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start()

    def exhausted(*_: object) -> None:
        raise MemoryError

    with pytest.warns(RuntimeWarning, match="MemoryError"), monkeypatch.context() as patch:
        patch.setattr(run._journal, "append", exhausted)
        run.step(0, {"a": 1.0})
    run.step(1, {"a": 1.0})
    assert pairs(run.path) == [(1, 1)]


# --- forks ---------------------------------------------------------------------------------------


@forks
def test_a_forked_child_writes_nothing_and_ends_nothing(tmp_path: Path, manifest: Manifest) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 0.0})
    child = os.fork()
    if not child:
        try:
            run.log(1, {"a": 1.0})
            run.step(2, {"b": 2.0})
            run.event(3, "child")
            run.finish()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert manifest()["status"] == "running"
    run.log(4, {"a": 4.0})
    run.finish()
    assert pairs(tmp_path / "run") == [(0, 0), (4, 4)]
    assert read_run(tmp_path / "run").marks == ()


FORKED = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, from Python 3.12 on
from runopsy.recorder import record
run = record(sys.argv[1])
run.log(0, {"a": 0.0})
locked, done = threading.Event(), threading.Event()
threading.Thread(target=lambda: [run._lock.acquire(), locked.set(), done.wait(), run._lock.release()]).start()
locked.wait()
child = os.fork()
if not child:
    run.log(5, {"a": 5.0})
if child:
    done.set()
    os.waitpid(child, 0)
    run.log(1, {"a": 1.0})
"""


def test_a_forked_child_that_exits_in_the_ordinary_way_neither_hangs_nor_closes_the_run(
    tmp_path: Path, manifest: Manifest
) -> None:
    ended = script(FORKED, tmp_path / "run")  # a deadlock would run into the time limit
    assert (ended.returncode, ended.stderr) == (0, "")
    assert pairs(tmp_path / "run") == [(0, 0), (1, 1)]
    assert [session["status"] for session in manifest()["sessions"]] == ["unclosed"]


@forks
def test_a_worker_that_holds_the_open_file_does_not_stop_compaction(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 0.0})
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    run.finish()
    left = journals(tmp_path / "run")
    os.close(writing)
    os.waitpid(child, 0)
    assert left == []


@forks
def test_the_workers_of_a_data_loader_do_not_write(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    run = record(tmp_path / "run")

    class Nosy(torch.utils.data.Dataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return 8

        def __getitem__(self, index: int) -> int:
            run.log(1000 + index, {"a": -1.0})
            return index

    loader = torch.utils.data.DataLoader(Nosy(), batch_size=2, num_workers=2, multiprocessing_context="fork")
    for step, _ in enumerate(loader):
        run.step(step, {"a": 1.0})
    run.finish()
    assert pairs(tmp_path / "run") == [(step, 1) for step in range(4)]


# --- events and options --------------------------------------------------------------------------


def test_events_are_kept_with_their_details(tmp_path: Path) -> None:
    with record(tmp_path / "run") as run:
        run.event(np.int64(3), "batch_size", to=64, why="memory", where=tmp_path)
    with record(tmp_path / "run", resume=True) as run:
        run.event(5, "restart")
    marks = read_run(tmp_path / "run").marks
    assert [(mark.step, mark.kind, mark.detail["session"]) for mark in marks] == [
        (3, "batch_size", 0),
        (5, "restart", 1),
    ]
    assert (marks[0].detail["to"], marks[0].detail["where"]) == (64, str(tmp_path))


def test_half_an_event_of_a_killed_session_spoils_no_other(tmp_path: Path) -> None:
    with record(tmp_path / "run") as run:
        run.event(1, "first")
    with (tmp_path / "run/events.jsonl").open("a") as file:
        file.write('{"step": 2, "ki')
    with record(tmp_path / "run", resume=True) as run:
        run.event(3, "third")
    assert [mark.kind for mark in read_run(tmp_path / "run").marks] == ["first", "third"]


def test_a_config_of_any_kind_becomes_strict_json(tmp_path: Path) -> None:
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError

    circle: dict[Any, Any] = {}
    circle["me"] = circle
    config = {
        "nan": math.nan,
        "np": np.float32(0.5),
        "set": {1},
        3: "three",
        ("a", 1): [Path("x")],
        "c": circle,
        "r": Rude(),
    }
    record(tmp_path / "run", config=config).finish()

    def never(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    said = json.loads((tmp_path / "run/run.json").read_text(), parse_constant=never)["config"]
    assert (said["nan"], said["np"], said["set"], said["3"], said["('a', 1)"]) == ("nan", 0.5, [1], "three", ["x"])
    assert said["r"] == "<Rude>"


@pytest.mark.parametrize("budget", [0, -1, 1.5, math.nan])
def test_a_budget_that_is_no_share_is_refused(tmp_path: Path, budget: float) -> None:
    with pytest.raises(BadOption, match="budget"):
        record(tmp_path / "run", budget=budget)
    assert os.listdir(tmp_path) == []


def test_a_config_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="Namespace"):
        record(tmp_path / "run", config=__import__("argparse").Namespace(lr=1))
    assert os.listdir(tmp_path) == []


def test_the_cost_of_recording_is_recorded(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "mappable", lambda folder: False)  # so that each call takes a write
    run = record(tmp_path / "run")
    append = run._journal.append

    def slow(records: bytes, now: float) -> None:
        clock.now += 0.01
        append(records, now)

    monkeypatch.setattr(run._journal, "append", slow)
    for step in range(600):
        clock.now += 0.09
        run.log(step, {"a": 1.0})
    run.finish()
    overhead = read_run(run.path).tracks["recorder/overhead"]
    assert len(overhead) == 60.0 // module.OVERHEAD_EVERY + 1, "the last one at the end"
    np.testing.assert_allclose(overhead.value, 0.1, atol=0.01)


def test_what_was_lost_is_a_signal_too(tmp_path: Path, manifest: Manifest) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 1.0})
    with pytest.warns(RuntimeWarning):
        run.log("x", {"a": 1.0, "b": 2.0})  # type: ignore[arg-type]  # the mistake that loses two values
    run.finish()
    assert pairs(run.path, "recorder/dropped") == [(0, 2)]
    assert manifest()["dropped"] == 2


def test_times_are_those_of_the_wall_clock(start: Start) -> None:
    import time

    run, before = start(), time.time()
    run.log(0, {"a": 1.0})
    after = time.time()
    run.finish()
    (found,) = read_run(run.path).tracks["a"].time  # type: ignore[misc]  # ours have times
    assert before - 1 / 1024 - 1e-3 <= found <= after + 1 / 1024 + 1e-3


# --- what is loaded ------------------------------------------------------------------------------

LOGGED = "import runopsy, sys; run = runopsy.record(sys.argv[1]); run.log(0, {'a': 1.0})"
HEAVY = "{'polars', 'numpy', 'scipy', 'ruptures', 'torch', 'pyarrow', 'pandas'}"


def test_importing_runopsy_loads_nothing_heavy() -> None:
    ended = script(f"import runopsy, sys; print(sorted({HEAVY} & set(sys.modules)))")
    assert ended.stdout == "[]\n", ended.stderr


def test_recording_scalars_loads_nothing_heavy_before_the_first_part(tmp_path: Path) -> None:
    text = f"{LOGGED}; print(sorted({HEAVY} & set(sys.modules)))"
    assert script(text, tmp_path / "run").stdout == "[]\n"


def test_recording_scalars_never_loads_torch_or_pandas(tmp_path: Path) -> None:
    (tmp_path / "pandas").mkdir()
    (tmp_path / "pandas/__init__.py").write_text("print('pandas was imported')")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    text = f"{LOGGED}; run.finish(); print('torch' in sys.modules)"
    ended = script(text, tmp_path / "run", env=os.environ | {"PYTHONPATH": path})
    assert ended.stdout == "False\n"
    assert len(files(tmp_path / "run" / SIGNALS, ".parquet")) == 1


def test_the_face_of_the_package_offers_the_recorder() -> None:
    assert runopsy.record is record
