"""TensorBoard: how scalars are written, how files and folders make a run, what happens to damaged ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.errors import UnreadableLog
from runopsy.readers import events, read, runs, tfrecords
from trackerfiles import (
    START,
    VERSION,
    crc32c,
    double,
    event,
    float32,
    message,
    number,
    record,
    session_start,
    simple,
    tensor,
    varint,
)

FILE = "events.out.tfevents.17000000{}.host.1.0"


@pytest.fixture
def log(tmp_path):
    """Writes event files, given as the parts of each by its folder and number, and gives the folder they are in."""

    def write(parts: dict[str, list[bytes]]):
        for name, content in parts.items():
            folder, _, count = name.rpartition("/")
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / FILE.format(count.zfill(2))).write_bytes(VERSION + b"".join(content))
        return tmp_path

    return write


def curve(tag, steps, *, start=START, value=float):
    return [event(simple(tag, value(s)), time=start + i, step=s) for i, s in enumerate(steps)]


def steps(run, tag):
    return run.tracks[tag].step.tolist()


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (number(1, 1) + float32(5, 0.5), 0.5),
        (number(1, 1) + message(5, struct.pack("<f", 0.5)), 0.5),  # packed
        (number(1, 1) + message(2, b"") + message(4, struct.pack("<f", 0.5)), 0.5),  # with its shape: none
        (number(1, 2) + double(6, 0.1), 0.1),
        (number(1, 2) + message(4, struct.pack("<d", 0.1)), 0.1),
        (number(1, 3) + number(7, -3), -3.0),
        (number(1, 9) + message(10, varint(2**40)), 2.0**40),
        (number(1, 9) + message(4, struct.pack("<q", -5)), -5.0),
    ],
)
def test_a_tensor_of_one_element_is_a_scalar(log, content, value):
    written = [event(tensor("loss", content, "scalars" if s == 0 else None), step=s) for s in range(20)]
    run = read(log({"0": written}))
    assert run.tracks["loss"].value.tolist() == [value] * 20
    assert steps(run, "loss") == list(range(20))


@pytest.mark.parametrize(
    "content",
    [
        number(1, 1) + message(5, struct.pack("<ff", 0.5, 0.5)),
        number(1, 1) + message(4, struct.pack("<fff", 1, 2, 3)),
        number(1, 7) + message(8, "text"),
        number(1, 9) + message(10, varint(1) + varint(2)),
        number(1, 1),
    ],
)
def test_other_tensors_are_no_scalars(log, content):
    run = read(log({"0": [event(tensor("image", content), simple("loss", 1.0), step=s) for s in range(3)]}))
    assert list(run.tracks) == ["loss"]


def test_a_tensor_of_another_plugin_is_no_scalar(log):
    content = number(1, 1) + float32(5, 0.5)
    run = read(log({"0": [event(tensor("pr", content, "pr_curves"), simple("loss", 1.0), step=s) for s in range(3)]}))
    assert list(run.tracks) == ["loss"]


def test_values_that_are_not_finite_are_kept(log):
    run = read(log({"0": [event(simple("loss", v), step=s) for s, v in enumerate((1.0, np.nan, np.inf, -np.inf))]}))
    np.testing.assert_array_equal(run.tracks["loss"].value, [1.0, np.nan, np.inf, -np.inf])


def test_an_event_may_hold_several_values_and_steps_may_be_missing(log):
    written = [event(simple("loss", s), simple("accuracy", s / 10), step=s or None) for s in range(300)]
    run = read(log({"0": written}))
    assert steps(run, "loss") == steps(run, "accuracy") == list(range(300))
    np.testing.assert_allclose(run.tracks["accuracy"].value, np.arange(300) / 10, rtol=1e-6)


def naive(data: bytes) -> list[tuple[str, int, float, float]]:
    """(tag, step, time, value) of simple values, one record after the other, as the format says."""
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        body, at = data[at + 12 : at + 12 + length], at + 16 + length
        (time,) = struct.unpack_from("<d", body, 1)
        place, step = 9, 0
        if body[place : place + 1] == b"\x10":
            shift, place = 0, place + 1
            while True:
                byte = body[place]
                step, shift, place = step | (byte & 127) << shift, shift + 7, place + 1
                if byte < 128:
                    break
        if body[place : place + 1] != b"\x2a":
            continue
        size = body[place + 3]
        inner = body[place + 4 : place + 4 + size]
        tag = inner[2 : 2 + inner[1]]
        found.append((tag.decode(), step, time, struct.unpack_from("<f", inner, 3 + len(tag))[0]))
    return found


logged = st.tuples(
    st.text("abc/é", min_size=1, max_size=12),
    st.integers(0, 2**40) | st.integers(0, 300),
    st.floats(0, 4e9),
    st.floats(width=32, allow_nan=False),
)


@given(st.lists(logged, max_size=60))
def test_many_events_at_once_read_like_one_after_the_other(rows):
    data = VERSION + b"".join(event(simple(tag, value), time=time, step=step) for tag, step, time, value in rows)
    found = events.scalars(io.BytesIO(data), "log", [])
    told = [
        (found.names[which], step, time, value)
        for which, step, time, value in zip(
            found.which.tolist(), found.step.tolist(), found.time.tolist(), found.value.tolist(), strict=True
        )
    ]
    assert told == naive(data)


# --- records -------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.integers(1, 5))
def test_checksums_of_many_records_are_those_of_each(payload, count):
    columns = np.repeat(np.frombuffer(payload, np.uint8)[:, None], count, axis=1)
    assert tfrecords._crc(columns).tolist() == [crc32c(payload)] * count
    assert int(tfrecords._crc_of_one(columns[:, 0])) == crc32c(payload)


def test_a_record_whose_content_is_wrong_is_left_out_alone(log):
    folder = log({"0": curve("loss", range(20))})
    file = next(folder.iterdir())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1  # in the middle of a value
    file.write_bytes(data)
    run = read(folder)
    assert len(run.tracks["loss"]) == 19
    assert any("1 records do not match their checksum" in note for note in run.notes)


def test_nothing_is_read_behind_a_wrong_length(log):
    folder = log({"0": curve("loss", range(20))})
    file = next(folder.iterdir())
    data = bytearray(file.read_bytes())
    size = (len(data) - len(VERSION)) // 20
    data[len(VERSION) + size * 10] ^= 1
    file.write_bytes(data)
    run = read(folder)
    assert steps(run, "loss") == list(range(10))
    assert any("nothing behind a broken record" in note for note in run.notes)


@pytest.mark.parametrize("cut", [1, 5, 13, 30])
def test_a_torn_end_is_left_out_and_said(log, cut):
    folder = log({"0": curve("loss", range(20))})
    file = next(folder.iterdir())
    file.write_bytes(file.read_bytes()[:-cut])
    run = read(folder)
    assert steps(run, "loss") == list(range(19))
    assert any("ends within a record" in note for note in run.notes)


def test_zeros_behind_the_last_record_are_damage(log):
    folder = log({"0": curve("loss", range(5))})
    file = next(folder.iterdir())
    file.write_bytes(file.read_bytes() + bytes(4096))
    assert steps(read(folder), "loss") == list(range(5))


def test_files_longer_than_a_block_lose_nothing(log, monkeypatch):
    folder = log({"0": [*curve("loss", range(200)), record(double(1, START) + message(99, bytes(5000)))] * 2})
    whole = read(folder)
    monkeypatch.setattr(tfrecords, "BLOCK", 1000)
    pieces = read(folder)
    assert pieces.tracks["loss"].value.tolist() == whole.tracks["loss"].value.tolist()
    assert pieces.notes == whole.notes


def test_a_file_without_scalars_says_so(log):
    with pytest.raises(UnreadableLog, match="holds no scalars"):
        read(log({"0": []}))


# --- runs ----------------------------------------------------------------------------------------


def test_train_and_validation_folders_are_one_run(log):
    run = read(log({"train/0": curve("epoch_loss", range(5)), "validation/0": curve("epoch_loss", range(5))}))
    assert set(run.tracks) == {"train/epoch_loss", "validation/epoch_loss"}
    assert run.axis == "epoch"  # as Keras counts them


def test_an_evaluation_below_a_training_belongs_to_it(log):
    run = read(log({"0": curve("loss", range(0, 100, 10)), "eval/0": curve("loss", range(0, 100, 50))}))
    assert set(run.tracks) == {"loss", "eval/loss"}


def test_folders_of_add_scalars_are_curves_and_not_runs(log):
    run = read(
        log(
            {"0": curve("lr", range(5)), "Loss_train/0": curve("Loss", range(5)), "Loss_val/0": curve("Loss", range(5))}
        )
    )
    assert set(run.tracks) == {"lr", "Loss/train", "Loss/val"}


def test_a_folder_of_add_hparams_belongs_to_its_run(log):
    run = read(log({"0": curve("loss", range(5)), "1700000000.123/0": [event(simple("hparam/accuracy", 0.5))]}))
    assert set(run.tracks) == {"loss", "hparam/accuracy"}


def test_other_folders_are_runs_of_their_own(log):
    folder = log({"run_2/0": curve("loss", range(5)), "run_10/train/0": curve("loss", range(3))})
    assert [candidate.name for candidate in runs(folder)] == ["run_2", "run_10"]
    assert steps(read(folder, "run_10"), "train/loss") == [0, 1, 2]


def test_runs_below_a_run_are_listed_beside_it(log):
    folder = log({"0": curve("loss", range(5)), "train_large/0": curve("loss", range(3))})
    assert [candidate.name for candidate in runs(folder)] == [folder.name, "train_large"]


def test_links_are_not_followed(log, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / FILE.format("00")).write_bytes(VERSION + b"".join(curve("secret", range(5))))
    folder = log({"0": curve("loss", range(5))})
    (folder / "train").symlink_to(elsewhere)
    (folder / FILE.format("01")).symlink_to(elsewhere / FILE.format("00"))
    assert set(read(folder).tracks) == {"loss"}


# --- restarts ------------------------------------------------------------------------------------


def test_a_second_file_that_starts_earlier_is_a_resume(log):
    run = read(log({"0": curve("loss", range(100)), "1": curve("loss", range(60, 150), start=START + 1000)}))
    track = run.tracks["loss"]
    assert len(track) == 190
    assert np.flatnonzero(np.diff(track.session)).tolist() == [99]


def test_a_second_file_that_goes_on_is_the_same_session(log):
    run = read(log({"0": curve("loss", range(100)), "1": curve("loss", range(100, 150), start=START + 1000)}))
    assert run.tracks["loss"].session is None


def test_a_session_log_starts_a_session_for_all_tags(log):
    second = [session_start(60, START + 999), *curve("loss", range(60, 70), start=START + 1000)]
    run = read(log({"0": [*curve("loss", range(100)), *curve("val_loss", range(0, 100, 10))], "1": second}))
    assert run.tracks["loss"].session.tolist() == [0] * 100 + [1] * 10
    assert run.tracks["val_loss"].session.tolist() == [0] * 10


def test_a_session_log_at_the_very_start_is_no_resume(log):
    assert read(log({"0": [session_start(0), *curve("loss", range(10))]})).tracks["loss"].session is None


# --- counters ------------------------------------------------------------------------------------


def test_a_validation_logged_against_its_epoch_stands_where_the_training_was(log):
    written = []
    for step in range(0, 1000, 10):
        written.append(event(simple("train/loss", step), time=START + step, step=step))
        if step % 100 == 90:
            written.append(event(simple("val/loss", step), time=START + step + 1, step=step // 100))
    run = read(log({"0": written}))
    assert steps(run, "val/loss") == list(range(90, 1000, 100))
    assert any("val/loss counts steps apart from train/loss" in note for note in run.notes)


def test_a_validation_logged_rarely_keeps_its_steps(log):
    written = []
    for step in range(0, 1000, 10):
        written.append(event(simple("train/loss", step), time=START + step, step=step))
        if step % 200 == 190:
            written.append(event(simple("val/loss", step), time=START + step + 1, step=step))
    run = read(log({"0": written}))
    assert steps(run, "val/loss") == list(range(190, 1000, 200))
    assert run.notes == ()


def test_a_batch_number_that_starts_again_in_every_epoch_is_laid_end_to_end(log):
    written = []
    for epoch in range(6):
        base = START + 1000 * epoch
        written += curve("train/loss", range(0, 100, 5), start=base)
        written.append(event(simple("val/loss", epoch), time=base + 900, step=epoch))
    run = read(log({"0": written}))
    assert steps(run, "train/loss") == list(range(0, 600, 5))
    assert steps(run, "val/loss") == list(range(95, 600, 100))
    assert run.tracks["train/loss"].session is None
    assert any("placed one after the other" in note for note in run.notes)


def test_values_without_steps_are_counted(log):
    run = read(log({"0": [event(simple("loss", s), time=START + s) for s in range(10)]}))
    assert (run.axis, steps(run, "loss")) == ("row", list(range(10)))
    assert any("no steps were logged" in note for note in run.notes)


def test_tags_with_one_hash_are_told_apart(log, monkeypatch):
    monkeypatch.setattr(events, "MULTIPLIER", np.uint64(0))  # only the last letter counts
    written = [event(simple(tag, i), step=s) for s in range(10) for i, tag in enumerate(("a/loss", "b/loss", "c/lost"))]
    run = read(log({"0": written}))
    assert {name: set(track.value) for name, track in run.tracks.items()} == {
        "a/loss": {0},
        "b/loss": {1},
        "c/lost": {2},
    }


@pytest.mark.filterwarnings("ignore")  # TensorBoard's own
def test_a_real_log_reads_as_tensorboard_reads_it(shared):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    path = next(iter(shared.glob("logs/Mormolykos*/evidence/*/events.out.tfevents*")), None)
    if path is None:
        pytest.skip("no event file here")
    theirs = accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    run = read(path)
    assert set(run.tracks) == set(theirs.Tags()["scalars"])
    for tag, track in run.tracks.items():
        found = theirs.Scalars(tag)
        assert track.step.tolist() == [event.step for event in found]
        assert track.value.tolist() == [event.value for event in found]
        assert track.time.tolist() == [event.wall_time for event in found]
