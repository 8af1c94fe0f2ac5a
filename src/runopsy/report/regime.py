"""The regime of a run, as blocks: parameters beside training data, and whether these were seen to be fitted."""

from __future__ import annotations

from collections.abc import Iterator

from runopsy.model import Autopsy, Regime
from runopsy.report.document import Block, Details, Prose, Table
from runopsy.report.words import number, place

MISSING = "not checked: not recorded; "
MEANING = (
    "This does not show where the interpolation threshold lies, which takes models of several sizes (runopsy sweep): a "
    "run that does not fit its data may have been too short or held back, and one that fits them may have data that a "
    "smaller model fits as well."
)


def section(autopsy: Autopsy) -> Iterator[Block]:
    """Of the page; nothing of a log that no recorder of ours has made."""
    regime = autopsy.regime
    if regime is not None:
        table = Table(("", ""), tuple(_rows(regime, autopsy.axis)))
        yield Details("Regime: parameters and training data", (table, Prose(MEANING)), open=True)


def _rows(regime: Regime, axis: str) -> Iterator[tuple[str, str]]:
    yield "parameters", _parameters(regime)
    yield "training examples", _counted(regime.examples, 'give sizes={"train": N} to record()')
    if regime.tokens is not None:
        yield "training tokens", f"{regime.tokens:,}"
    if regime.per_example is not None:
        yield "trainable parameters per training example", _ratio(regime.per_example)
    if regime.per_parameter is not None:
        yield "training tokens per parameter", _ratio(regime.per_parameter)
    yield "training data", side(regime, axis)


def _parameters(regime: Regime) -> str:
    text = _counted(regime.parameters, "give model= to record()")
    if regime.parameters is None or regime.trainable is None:
        return text
    return (
        f"{text}, all trainable" if regime.trainable == regime.parameters else f"{text}, trainable {regime.trainable:,}"
    )


def _counted(count: int | None, do: str) -> str:
    return f"{count:,}" if count is not None else MISSING + do


def _ratio(value: float) -> str:
    return number(float(f"{value:.3g}"))


def side(regime: Regime, axis: str) -> str:
    """On which side of interpolation the run was seen to be, with the numbers that show it."""
    if regime.fitted is None:
        return f"not checked: {regime.why}"
    if not regime.fitted:
        return f"not fitted by the last {axis} ({regime.why}): not counted as interpolating"
    by = "" if regime.at is None else f" by {axis} {place(regime.at)}"
    return f"fitted{by} ({regime.why}): counted as interpolating"
