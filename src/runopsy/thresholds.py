"""Every threshold by which a run is judged: its value, unit, domain, reason and source, in one place.

A rule asks for a threshold by its name; ``runopsy explain`` prints what stands here; a user's TOML is checked
against the domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


def threshold(default: float, unit: str, low: float, high: float, reason: str, source: str = "") -> Any:
    """A field of ``Limits``: its default, unit, domain [low, high], why it is what it is, and where that comes from."""
    about = {"unit": unit, "low": low, "high": high, "reason": reason, "source": source}
    return field(default=default, metadata=about)


DEFINITIONS = "definitions of phases, events and verdicts"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The facts on which rules, phases and the verdict rest."""

    code: ClassVar[str] = "F01"
    needs: ClassVar[tuple[str, ...]] = ()

    # --- what is seen of a curve
    sure: float = threshold(
        3.0, "standard errors", 1, 20,
        "A difference counts from here on. Slow noise is in the standard error.",
    )  # fmt: skip
    visible_accuracy: float = threshold(
        0.03, "of accuracy", 0.001, 0.5,
        "A smaller change of an accuracy is not called a change.", DEFINITIONS,
    )  # fmt: skip
    visible_loss: float = threshold(
        0.05, "share of the loss's own way", 0.001, 0.9,
        "A smaller change of a loss is not called a change: a rise of 1 % of what was learnt is no overfitting.",
    )  # fmt: skip
    visible_ratio: float = threshold(
        0.1, "share of the loss's lowest level", 0.001, 10,
        "A loss that ends less than this above its lowest level has not left it.",
    )  # fmt: skip
    # --- training
    moved: float = threshold(
        0.02, "share of the first loss", 0.001, 0.9,
        "A training loss that fell by less has not left its start.",
    )  # fmt: skip
    left_chance: float = threshold(
        0.05, "of accuracy", 0.001, 0.5,
        "A rise of less above the first level is not having left chance.", DEFINITIONS,
    )  # fmt: skip
    fitted_accuracy: float = threshold(
        0.97, "of accuracy", 0.5, 1,
        "From here on the training set counts as fitted.", DEFINITIONS,
    )  # fmt: skip
    fits_at_end: float = threshold(
        0.9, "of accuracy", 0.5, 1,
        "A run that ends above it fits its data; below, something is left to learn.",
    )  # fmt: skip
    far_from_fitting: float = threshold(
        0.85, "of accuracy", 0.3, 1,
        "A run that stands still above it is not called underfit, though it does not fit every example.",
    )  # fmt: skip
    fell_far: float = threshold(
        0.5, "share of the first loss", 0.01, 0.99,
        "Where no accuracy was logged, a training loss that ends below it counts as fitted.",
    )  # fmt: skip
    # --- validation
    descent: float = threshold(
        0.1, "share of the way of the training loss", 0.01, 1,
        "Validation must come down by this much for a later rise to be a rise from something learnt.", DEFINITIONS,
    )  # fmt: skip
    half_way: float = threshold(
        0.4, "share of training's way", 0.05, 1,
        "A validation accuracy that made less of the way than training did has not generalised.",
    )  # fmt: skip
    gap: float = threshold(
        0.2, "of accuracy, or share of the first loss", 0.01, 1,
        "A larger difference between training and validation is a gap.", DEFINITIONS,
    )  # fmt: skip
    # --- how it ends
    last_part: float = threshold(
        0.2, "share of the rows", 0.02, 0.5,
        "The last part is held against the part before it to tell whether a curve still improves.",
    )  # fmt: skip
    improving: float = threshold(
        0.03, "share of the curve's own way", 0.001, 0.5,
        "A curve that gained less over the last part has stopped improving.", DEFINITIONS,
    )  # fmt: skip
    fewest_rows: float = threshold(
        10, "rows", 2, 1000,
        "With fewer, that a curve stands still cannot be told from too little to see.",
    )  # fmt: skip
    # --- late gains and second descents
    late_gain: float = threshold(
        0.3, "of accuracy", 0.05, 1, "A smaller gain after fitting is the tail of ordinary learning.", DEFINITIONS
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
    peak_range: float = threshold(
        0.02, "share of the curve's whole range", 0.001, 0.9,
        "And by this much: a bump in the tail of a fitted run is no peak.", DEFINITIONS,
    )  # fmt: skip
    fell: float = threshold(
        0.3, "share of the first loss", 0.05, 0.95,
        "A loss that came down by less has little to lose: slow noise goes up and down as far.",
    )  # fmt: skip
    lost: float = threshold(
        0.5, "share of what was learnt", 0.05, 1,
        "A run that ends with more of it lost again has diverged.",
    )  # fmt: skip
    far_above: float = threshold(
        3.0, "x the first loss", 1.1, 1000,
        "A loss that ends above it has diverged, whether or not it had learnt before.",
    )  # fmt: skip
    swing: float = threshold(
        0.15, "of accuracy, or share of the learnt range, on either side of the middle", 0.01, 0.5,
        "A swing passes the middle by this much on both sides.",
    )  # fmt: skip
    swings: float = threshold(4, "passages through the middle", 2, 1000, "Fewer are no instability.", DEFINITIONS)
    spike_scatter: float = threshold(
        8.0, "x the scatter of the log loss around its median", 2, 100,
        "A spike stands out by more. Gaussian noise of a million rows stays below 5.",
    )  # fmt: skip
    spike_ratio: float = threshold(
        1.3, "x the highest of the rows before", 1.01, 100,
        "Losses of batches have heavy tails, and 8 x their scatter may be usual.",
    )  # fmt: skip
    spike_share: float = threshold(
        0.03, "share of the loss's whole way", 0.001, 1,
        "Late in a fitted run a loss may leap from 1e-6 to 1e-4, and it means nothing.",
    )  # fmt: skip
    jump: float = threshold(
        1.25, "ratio of the losses after and before", 1.01, 100,
        "A smaller lasting rise of the training loss is seen by nobody.",
    )  # fmt: skip


DEFAULTS = Limits()


def described() -> Mapping[str, Mapping[str, Any]]:
    """Name → default, unit, low, high, reason, source."""
    return {one.name: {"default": one.default, **one.metadata} for one in fields(Limits)}
