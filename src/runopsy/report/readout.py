"""Representation and readout as a picture: the model's accuracy beside that of linear probes of its features."""

from __future__ import annotations

from collections.abc import Iterator

from runopsy.model import Autopsy, Lag, Readout, Segments, Signal
from runopsy.report.document import Block, Chart, Details, Line, Mark, Picture, Prose, Timeline
from runopsy.report.pictures import bands, scale
from runopsy.report.words import number, place

# The model's own accuracy on either side: as the recorder reads it on the batches of the probes, else as logged.
OWN = (("eval/acc_train", "train/acc"), ("eval/acc_heldout", "val/acc"))
PROBES = ("probe/acc_heldout", "probe/acc_train")
APART = ("readout/gap", "readout/train_bias")

# What it means where readout/gap lies above 0, and below; and readout/train_bias.
HELD = "the features held more than the model's head read from them"
UNDERSTATED = "the head was right more often than the probe, which understates what the features hold there"
MISLED = "training features misled a readout that is fitted on them"
HELPED = "a readout fitted on training features did better than one fitted on held-out ones"


def section(autopsy: Autopsy) -> Iterator[Block]:
    """Of the page; nothing where no probes of the features were recorded."""
    if PROBES[0] in autopsy.signals and len(autopsy.signals[PROBES[0]]) > 1:
        sentences = [Prose(sentence) for sentence in _sentences(autopsy.readout, autopsy.axis)]
        yield Details("Representation and readout", (_picture(autopsy), *sentences), open=True)


def _picture(autopsy: Autopsy) -> Picture:
    axis, cuts = scale(autopsy), tuple(phase.start for phase in autopsy.phases[1:])
    own = [next((name for name in names if name in autopsy.signals), "") for names in OWN]
    charts = (
        Chart("Accuracy of model and probes", axis,
              _lines(autopsy, (*own, *PROBES)), False, cuts, 8),
        Chart("Readout gap and training bias", axis, _lines(autopsy, APART), False, cuts, 5),
    )  # fmt: skip
    drawn = tuple(chart for chart in charts if chart.lines)
    phases = tuple(bands(autopsy))
    spoken = "; ".join(f"{line.name} {_ends(line)}" for chart in drawn for line in chart.lines)
    alt = f"The model's accuracy beside that of linear probes of its features. Curves: {spoken}."
    return Picture("readout", alt, (Timeline(axis, phases),) if phases else (), drawn, tuple(_marks(autopsy.readout)))


def _lines(autopsy: Autopsy, names: tuple[str, ...]) -> tuple[Line, ...]:
    found = (autopsy.signals[name] for name in names if name in autopsy.signals)
    return tuple(_line(one, autopsy.segments.get(one.name)) for one in found if len(one) > 1)


def _line(signal: Signal, cut: Segments | None) -> Line:
    """The readings; of many, the means of bins of them, which show as much and keep the page light."""
    return Line(signal.name, signal.step, signal.value) if cut is None else Line(signal.name, cut.step, cut.level)


def _ends(line: Line) -> str:
    return f"from {_share(float(line.value[0]))} to {_share(float(line.value[-1]))}"


def _marks(readout: Readout | None) -> Iterator[Mark]:
    for lag in () if readout is None else (readout.gap, readout.bias):
        if lag is not None and lag.above is not None:
            yield Mark(f"largest {lag.signal}", "plain", lag.above.at)


def _sentences(readout: Readout | None, axis: str) -> Iterator[str]:
    if readout is None:
        yield "Not checked: too few readings to separate a difference between probe and model from noise."
        return
    if readout.probe_half is not None and readout.own_half is not None:
        yield (
            f"Of its gain on held-out examples the representation (probe/acc_heldout) made half by {axis} "
            f"{place(readout.probe_half)}, the model's own readout by {axis} {place(readout.own_half)}."
        )
    yield _shown(readout.gap, axis, HELD, UNDERSTATED)
    if readout.bias is not None:
        yield _shown(readout.bias, axis, MISLED, HELPED)


def _shown(lag: Lag, axis: str, above: str, below: str) -> str:
    """What it means where a difference lies above 0, and where below; and how it ends."""
    sides = [(side, meaning) for side, meaning in ((lag.above, above), (lag.below, below)) if side is not None]
    stretches = [
        f"from {axis} {place(side.since)} to {place(side.until)} {meaning} "
        f"(most at {place(side.at)}: {_share(side.value)} ± {_share(side.error)})"
        for side, meaning in sorted(sides, key=lambda pair: pair[0].since)
    ]
    found = "; ".join(stretches) or "nowhere visibly different from 0 and beyond noise"
    return f"{lag.signal}: {found}. At the end it is {_share(lag.last)} ± {_share(lag.last_error)}."


def _share(value: float) -> str:
    return number(round(value, 3))
