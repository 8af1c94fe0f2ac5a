"""Every threshold by which a run is judged: its value, unit, domain, reason and source, in one place.

One threshold stands for one idea, and every rule, phase and fact that means the idea reads it. ``runopsy explain``
prints what stands here; a user's TOML is checked against the domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


def threshold(default: float, unit: str, low: float, high: float, reason: str, source: str = "") -> Any:
    """A field of ``Limits``: its default, unit, domain [low, high], why it is what it is, and where that comes from."""
    about = {"unit": unit, "low": low, "high": high, "reason": reason, "source": source}
    return field(default=default, metadata=about)


DEFINITIONS = "definitions of phases, events and verdicts"
MEASURED = "measured on the labelled runs and on planted ones"


# While a run goes on, what is seen of it counts once the log has grown by so many rows, and by such a share, and shows
# it still: a spike comes back. No thresholds of an autopsy, which has the whole log. Chosen by ``make bench-watch``.
KEPT_ROWS, KEPT_SHARE = 10, 0.03


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The thresholds of facts, rules, phases and verdict. A whole number counts rows, spikes or readings."""

    # --- how sure
    sure: float = threshold(
        3.0, "standard errors", 1, 20,
        "A difference is more than noise from here on. Slow noise is part of the standard error.", "usual practice",
    )  # fmt: skip
    likely: float = threshold(
        2.0, "standard errors", 0.5, 20,
        "Decides between two answers of equal weight, for example that a curve still improves or has stopped.",
        "usual practice",
    )  # fmt: skip
    sure_of_many: float = threshold(
        6.0, "standard errors", 2, 40,
        "The largest of many differences is large by chance alone; from here on it is more than noise.",
        "the largest of a thousand changes of Gaussian noise stays below 4; real noise has heavier tails",
    )  # fmt: skip
    outlier: float = threshold(
        8.0, "standard deviations of the noise", 2, 100,
        "A spike or a change of level stands out by more than that. Losses and gradients of batches have heavy tails.",
        "Gaussian noise of a million rows stays below 5",
    )  # fmt: skip
    # --- what is seen of a curve
    visible_accuracy: float = threshold(
        0.03, "of accuracy", 0.001, 0.5,
        "A smaller change of an accuracy does not count as one. Phases use half of it over their window.",
        DEFINITIONS,
    )  # fmt: skip
    visible_loss: float = threshold(
        0.05, "share of the loss's own change", 0.001, 0.9,
        "A smaller change of a loss does not count as one: a rise of 1 % of what was learnt is no overfitting.",
        DEFINITIONS,
    )  # fmt: skip
    visible_ratio: float = threshold(
        0.1, "share of the loss's lowest level", 0.001, 10,
        "A loss that ends less than this above its lowest level has not left it.", MEASURED,
    )  # fmt: skip
    slight: float = threshold(
        0.02, "share of a curve's first level or own change", 0.001, 0.5,
        "A training loss that moved by less counts as still: at its start, later, and where an epoch begins.",
        DEFINITIONS,
    )  # fmt: skip
    improving: float = threshold(
        0.03, "share of a curve's own change, or of the run", 0.001, 0.5,
        "A curve that gained less over the last part has stopped improving; so small a rise or stretch is no event.",
        DEFINITIONS,
    )  # fmt: skip
    real_change: float = threshold(
        0.1, "share of a curve's own change", 0.01, 1,
        "Validation has learnt something once it came down by this much; so close to its best, it counts as there.",
        DEFINITIONS,
    )  # fmt: skip
    part: float = threshold(
        0.3, "share of a change", 0.05, 0.95,
        "Validation keeps pace if it makes at least this share of the progress of training. Where it never does, "
        "memorization begins when training has made this share. Only a loss that fell by at least this share can "
        "count as lost again.",
        DEFINITIONS,
    )  # fmt: skip
    half_way: float = threshold(
        0.5, "share of a change", 0.05, 1,
        "A change counts as made from this share on: of another curve's change, or of the largest possible.",
        DEFINITIONS,
    )  # fmt: skip
    most: float = threshold(
        0.85, "share", 0.5, 1,
        "A change is a step if this share of it happens at once. A representation was there before if it held this "
        "share. A run with this share of examples right is not underfit.", MEASURED,
    )  # fmt: skip
    jump: float = threshold(
        1.25, "ratio of the levels before and after", 1.01, 100,
        "A smaller step of a loss, a learning rate or a batch size is no jump. A fall by a fifth is one.",
        MEASURED,
    )  # fmt: skip
    far_above: float = threshold(
        3.0, "ratio", 1.1, 1000,
        "From this many times the earlier level on, a loss has diverged, a spike is more than a hard batch, and a "
        "step of the training is slow.", MEASURED,
    )  # fmt: skip
    # --- rows
    few_rows: int = threshold(
        3,
        "rows",
        2,
        100,
        "Fewer consecutive rows may be chance; fewer rows in all have no shape.",
        DEFINITIONS,
    )
    level_rows: int = threshold(
        5, "rows", 2, 1000, "This many rows show the level of a curve; a single row may be a hard batch.", MEASURED
    )
    fewest_rows: int = threshold(
        10,
        "rows",
        2,
        1000,
        "With fewer, a curve that stands still cannot be distinguished from one with too few rows.",
        MEASURED,
    )
    readings: int = threshold(
        20, "readings", 4, 1000,
        "A mean, a ratio or a standard deviation of fewer readings of a noisy signal is too uncertain. It guards the "
        "rules of recorded signals on short logs.",
        "the standard error of 20 is known to a sixth",
    )  # fmt: skip
    window_rows: int = threshold(
        50, "rows", 5, 10000,
        "This many rows show what is usual around a row: a moving average, the rows before and after a spike.",
        "founding articles of the threshold rule",
    )  # fmt: skip
    # --- places
    beside: float = threshold(
        0.12, "share of the elapsed steps", 0.01, 1,
        "Two things this near to each other happen at the same time; a change is judged over this window.", DEFINITIONS,
    )  # fmt: skip
    tail: float = threshold(
        0.1, "share of the run", 0.01, 0.5,
        "A spike must be back within it; a jump must last longer; a validation that begins later began late.",
        DEFINITIONS,
    )  # fmt: skip
    last_part: float = threshold(
        0.2, "share of the run", 0.02, 0.5,
        "The last part is compared with the part before it to judge how a run ends.", DEFINITIONS,
    )  # fmt: skip
    shortest: float = threshold(
        0.15, "log elapsed steps", 0.01, 1,
        "A shorter stretch of a phase (16 % of the steps before it) is not seen: it joins its neighbour.", DEFINITIONS,
    )  # fmt: skip
    abrupt: float = threshold(
        0.8, "log elapsed steps", 0.05, 5,
        "A fall of the loss that begins and ends within it is abrupt; a peak between two descents is broader.",
        MEASURED,
    )  # fmt: skip
    # --- training and validation
    left_chance: float = threshold(
        0.05, "of accuracy", 0.001, 0.5,
        "A smaller rise above the first level may still be chance.", DEFINITIONS,
    )  # fmt: skip
    fitted_accuracy: float = threshold(
        0.97, "of accuracy", 0.5, 1,
        "From here on the training set counts as fitted.", DEFINITIONS,
    )  # fmt: skip
    fits_at_end: float = threshold(
        0.9, "of accuracy", 0.5, 1,
        "A run that ends above it fits its data; below, something is left to learn.", DEFINITIONS,
    )  # fmt: skip
    fell_far: float = threshold(
        0.5, "share of the first loss", 0.01, 0.99,
        "Where no accuracy was logged, a training loss that ends below it counts as fitted.", MEASURED,
    )  # fmt: skip
    gap: float = threshold(
        0.2, "of accuracy, or share of the first loss or of a signal's range", 0.01, 1,
        "A larger difference between training and validation is a gap, and of a signal's levels a shift.", DEFINITIONS,
    )  # fmt: skip
    hold: float = threshold(
        0.6, "share", 0.05, 1,
        "A curve that has begun to move counts as moving until its rate is below this share of the least rate at which "
        "a movement begins. Training that has "
        "made less than this share of its change is not done: a pause there is a plateau.", DEFINITIONS,
    )  # fmt: skip
    # --- late gains and second descents
    late_gain: float = threshold(
        0.3, "of accuracy", 0.05, 1, "A smaller gain after fitting counts as ordinary learning.", DEFINITIONS
    )
    late_from: float = threshold(
        0.6, "share of the final accuracy", 0.05, 1,
        "Validation accuracy must be below it when training is fitted, or most had been learnt by then.", DEFINITIONS,
    )  # fmt: skip
    late_delay: float = threshold(
        1.5, "steps of the half-way point / steps of fitting", 1, 100,
        "Below it, fitting and generalising are one event.", DEFINITIONS,
    )  # fmt: skip
    peak: float = threshold(
        0.07, "share of the peak's height", 0.01, 0.9,
        "A peak between two descents must stand out by this much on either side.", DEFINITIONS,
    )  # fmt: skip
    # --- what breaks
    lost: float = threshold(
        0.5, "share of what was learnt", 0.05, 1,
        "A run that ends with more of it lost again has diverged.", DEFINITIONS,
    )  # fmt: skip
    swing: float = threshold(
        0.15, "of accuracy, or share of the learnt range, on either side of the middle", 0.01, 0.5,
        "A swing passes the middle by this much on both sides.", DEFINITIONS,
    )  # fmt: skip
    swings: int = threshold(4, "passages through the middle", 2, 1000, "Fewer are no instability.", DEFINITIONS)
    spike_ratio: float = threshold(
        1.3, "x the highest of the rows before", 1.01, 100,
        "Losses of batches have heavy tails, and many standard deviations may be usual: a spike is above all rows "
        "before it.",
        DEFINITIONS,
    )  # fmt: skip
    many_spikes: int = threshold(
        8, "spikes", 1, 10000,
        "More are reported as one event, and a run that goes on so is unstable. It guards runs with single spikes.",
        MEASURED,
    )  # fmt: skip
    pause: float = threshold(
        20.0, "x the usual time between two rows", 1.5, 10000,
        "A longer pause is a stall. It guards evaluations and checkpoints, which take less.", MEASURED,
    )  # fmt: skip
    pause_seconds: float = threshold(
        600.0, "s", 0, 1000000, "A shorter pause is not reported, however short the steps are.", "usual practice"
    )
    # --- what one kind of signal asks
    sharpness: float = threshold(
        0.95, "share of the stability limit", 0.5, 2,
        "The largest eigenvalue hovers around the limit, and its estimate comes from below. It is used for recorded "
        "curvature alone.", "arXiv 2103.00065",
    )  # fmt: skip
    sample: int = threshold(
        256, "examples", 1, 1000000,
        "The largest eigenvalue of fewer examples may lie far above that of all: of 256 up to 1.1 times, of 32 4.6. "
        "It guards against an edge of stability that only the sample shows.",
        "measured against 2048 examples",
    )  # fmt: skip
    text_start: float = threshold(
        8.0, "nats", 3, 20,
        "The loss of a run that counts tokens is taken for a language model's if it starts above this, which is chance "
        "among 3000 classes. Other losses may well come close to 0.",
        "ln 3000",
    )  # fmt: skip
    # of single signals: signal → threshold → value
    own: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, signal: str) -> Limits:
        """The thresholds as they are asked of one signal."""
        special: dict[str, Any] = dict(self.own.get(signal, {}))
        return replace(self, **special)


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold with everything that is known about it."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    reason: str  # a full sentence
    source: str


THRESHOLDS: tuple[Threshold, ...] = tuple(
    Threshold(one.name, one.default, **one.metadata)  # type: ignore[arg-type]  # a field's default is any object
    for one in fields(Limits)
    if one.metadata
)
BY_NAME: Mapping[str, Threshold] = {one.name: one for one in THRESHOLDS}
DEFAULTS = Limits()
