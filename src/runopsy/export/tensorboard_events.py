"""An event file for TensorBoard: every series, the phase as a curve, events and verdict as text, the picture."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event as Record
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.image.metadata import create_summary_metadata as image_metadata
from tensorboard.plugins.scalar.metadata import create_summary_metadata as scalar_metadata
from tensorboard.plugins.text.metadata import create_summary_metadata as text_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

from runopsy.errors import BadOption
from runopsy.export.payload import (
    LEGEND,
    OURS,
    Series,
    axis_series,
    counter,
    phase_points,
    png,
    png_size,
    series_of,
)
from runopsy.model import Autopsy
from runopsy.report import render
from runopsy.report.compose import finding

EVENTS = "*tfevents*"


def write(autopsy: Autopsy, dest: str) -> tuple[Path, ...]:
    """Scalars are written as doubles, so that no digit is lost; each with the time of its row.

    Raises:
        BadOption: the folder holds event files already: TensorBoard would draw both as one run.
        OSError: the file system refuses it.
    """
    folder = Path(dest)
    if any(folder.glob(EVENTS)):
        raise BadOption(f"{folder} holds event files already", hint="give a folder of its own to -o")
    series = series_of(autopsy)
    count, whole = counter(autopsy, series)
    picture = png(autopsy)
    writer = EventFileWriter(str(folder))
    now = time.time()

    def add(summary: Summary, step: int, at: float) -> None:
        writer.add_event(Record(summary=summary, step=step, wall_time=at))

    for s in series if whole else (*series, axis_series(autopsy, series)):
        for step, value, at in zip(s.step.tolist(), s.value.tolist(), _times(s, now), strict=True):
            add(_scalar(s.name, value), count(step), at)
    for step, number in phase_points(autopsy, count):
        add(_scalar(f"{OURS}phase", number, LEGEND), step, now)
    for event in autopsy.events:
        found = finding(autopsy, event)
        add(_text(f"{OURS}events", f"**{found.what}**, {found.where}: {found.text}"), count(event.step), now)
    last = count(autopsy.last)
    add(_text(f"{OURS}verdict", render(autopsy, "markdown")), last, now)
    if picture is not None:
        add(_image(f"{OURS}picture", picture), last, now)
    writer.close()
    return tuple(sorted(folder.glob(EVENTS)))


def _times(s: Series, now: float) -> list[float]:
    """The wall time of each row: the log's own, or that of this export."""
    return [now] * len(s.step) if s.time is None else np.where(np.isnan(s.time), now, s.time).tolist()


def _scalar(tag: str, value: float, description: str = "") -> Summary:
    tensor = tensor_util.make_tensor_proto(np.float64(value))
    return _summary(tag, tensor, scalar_metadata(display_name="", description=description))


def _text(tag: str, text: str) -> Summary:
    tensor = tensor_util.make_tensor_proto(text, dtype=np.object_)
    return _summary(tag, tensor, text_metadata(display_name="", description=""))


def _image(tag: str, content: bytes) -> Summary:
    width, height = png_size(content)
    tensor = tensor_util.make_tensor_proto([str(width).encode(), str(height).encode(), content], dtype=np.object_)
    return _summary(tag, tensor, image_metadata(display_name="", description=""))


def _summary(tag: str, tensor: object, metadata: SummaryMetadata) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])
