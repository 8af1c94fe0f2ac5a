"""Learning in stages: abrupt falls of the loss between plateaus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.model import Case, Event, Evidence, Position, Segments, Severity
from runopsy.rules.curves import NOISE, fitted_at, spacing_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """The training loss falls abruptly after a plateau."""

    code: ClassVar[str] = "T01"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    fall: float = 0.2  # of the loss at its beginning: smaller steps are for finer methods
    slower: float = 0.5  # the plateaus on both sides fall at most at this share of the stage's rate

    def __call__(self, case: Case) -> Iterator[Event]:
        if "train/loss" not in case.segments:
            return
        fitted = fitted_at(case) if "train/acc" in case.segments else None  # what follows is beneath notice
        found = pieces(case.segments["train/loss"])
        for group in self._stages([piece.rate for piece in found]):
            first, last = found[group[0]], found[group[-1]]
            early = first.begin > (1 - self.fall) * found[0].begin  # the first descent is no event
            lost = first.begin > 1.1 * min(p.end for p in found[: group[0]])  # falls back to where it had been
            late = fitted is not None and first.span[0] >= fitted
            if early or lost or late or first.begin - last.end < max(self.fall * first.begin, NOISE * last.spread):
                continue
            middle = (first.begin * last.end) ** 0.5
            stage = next((p for p in found[group[0] : group[-1] + 1] if p.end <= middle), last)
            at = stage.where(middle)
            says = f"falls from {first.begin:.3g} to {last.end:.3g} between two slower stretches"
            proof = (Evidence("train/loss", at, middle, None, "", says),)
            resolution = spacing_at(case.signals["train/loss"], at)
            yield Event("transition", self.code, at, Severity.INFO, proof, resolution=resolution)

    def _stages(self, rates: list[float]) -> Iterator[range]:
        """Runs of pieces around each peak of the rate that has slower pieces on both sides."""
        for i, peak in enumerate(rates):
            if peak <= 0:
                continue
            left = next((j for j in range(i - 1, -1, -1) if rates[j] > peak or rates[j] <= self.slower * peak), None)
            right = next(
                (j for j in range(i + 1, len(rates)) if rates[j] >= peak or rates[j] <= self.slower * peak), None
            )
            if left is None or right is None or rates[left] > peak or rates[right] >= peak:
                continue
            yield range(left + 1, right)


@dataclass(frozen=True, slots=True)
class Piece:
    """One straight stretch of log loss against log elapsed steps."""

    rate: float  # fall of log loss per unit of log steps; positive = falling
    begin: float  # loss at its ends
    end: float
    span: tuple[Position, Position]
    spread: float

    def where(self, value: float) -> Position:
        """Where the loss passes a value, on the straight line."""
        if self.begin <= self.end:
            return self.span[0]
        share = np.clip(np.log(self.begin / value) / np.log(self.begin / self.end), 0, 1)
        return float(self.span[0] + share * (self.span[1] - self.span[0]))


def pieces(segments: Segments) -> list[Piece]:
    """The stretches of a fitted loss, in order."""
    log_step = np.log(segments.step - segments.step[0] + np.median(np.diff(segments.step)))
    found = []
    for a, b in zip(segments.edges[:-1], segments.edges[1:], strict=True):
        inside = np.flatnonzero((segments.step >= a) & (segments.step <= b))
        if len(inside) < 2:
            continue
        first, last = inside[0], inside[-1]
        begin, end = float(segments.curve[first]), float(segments.curve[last])
        rate = float(np.log(begin / end) / (log_step[last] - log_step[first])) if end > 0 else 0.0
        span = float(segments.step[first]), float(segments.step[last])
        found.append(Piece(rate, begin, end, span, float(segments.spread[inside].max())))
    return found
