"""A signal leaves where it was: the founding threshold rule, and the one that is calibrated.

The founding rule compares a moving average with the mean and the standard deviation of the run's beginning. It
asks that the signal stood still there and that its rows were independent. On white noise that never changes it
fires in 63 of 100 runs of 5 000 rows with the usual settings (the average of 50 rows shares 49 of them with its
neighbour, so that ten in a row are hardly more than one, and 4 500 rows give it many chances), and on a signal
that drifts it always fires. It is asked where it is asked for: ``--rules classic``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case
from runopsy.facts.curve import EVALUATIONS
from runopsy.facts.usual import Baseline, course, strayed
from runopsy.model import VALIDATED, Event, Evidence, Position, Severity, Signal
from runopsy.rules.curves import inside
from runopsy.rules.places import spacing_at
from runopsy.stats import Floats, first_run, long_run_factor, white_noise
from runopsy.thresholds import Limits

BLOCKS = 300  # at most, on a long run: more cost time, and place a jump finer than anybody reads it
RUN = 2  # blocks on either side of the jump that must lie beyond half of it: one wild block is no level


@dataclass(frozen=True, kw_only=True, slots=True)
class Departure:
    """A signal leaves the band of its baseline (the founding rule; 63 of 100 runs of white noise leave it too).

    Baseline mean and standard deviation come from the first part of the run; the moving average must stay outside
    the band for some rows on the same side. With a library of runs of its kind (analyze --library) they come from
    those, part by part of the run, and signals that it does not know are not asked: of n + 1 runs of one kind at most
    one leaves the band by chance.
    """

    usual: Mapping[str, Baseline] = field(default_factory=dict)  # of the library; empty: the run's own beginning

    code: ClassVar[str] = "B01"
    kinds: ClassVar[tuple[str, ...]] = ("baseline_departure",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ("tail", "sure", "window_rows", "fewest_rows", "readings")

    def __call__(self, case: Case) -> Iterator[Event]:
        for name, signal in case.signals.items():
            if self.usual:
                yield from self._among_its_kind(case, signal)
            elif name not in ("lr", "epoch", "batch_size"):
                yield from self.on(signal, case.limits.of(name))

    def _among_its_kind(self, case: Case, signal: Signal) -> Iterator[Event]:
        """Where a signal leaves what is usual among runs of its kind."""
        baseline = self.usual.get(signal.name)
        if baseline is None or not len(signal):
            return
        own = course(signal, case.first, case.last)
        far, part = strayed(own, baseline.mean, baseline.sd)
        limit = max(case.limits.of(signal.name).sure, baseline.limit)
        if far > limit:
            at = case.first + part * (case.last - case.first) / len(own)
            edge = float(baseline.mean[part] + np.sign(own[part] - baseline.mean[part]) * limit * baseline.sd[part])
            text = f"mean of its part of the run, against {baseline.runs} runs of its kind and {limit:.3g} of their "
            proof = (Evidence(signal.name, at, float(own[part]), edge, "", text + "standard deviations", "level"),)
            yield Event("baseline_departure", self.code, at, Severity.INFO, proof, resolution=spacing_at(signal, at))

    def on(self, signal: Signal, limits: Limits) -> Iterator[Event]:
        """Where one signal leaves its band upwards, and where downwards."""
        average, run = limits.window_rows, limits.fewest_rows
        start = int(limits.tail * len(signal))
        if start < average + limits.readings or len(signal) < start + run:
            return
        moving = np.convolve(signal.value, np.full(average, 1 / average), mode="valid")  # i: rows i to i + average - 1
        usual, after = moving[: start - average + 1], moving[start - average + 1 :]
        mean, sd = float(usual.mean()), float(usual.std(ddof=1))
        for side in (1, -1):
            at = first_run(side * (after - mean) > limits.sure * sd, run)
            if at is not None:
                yield self._event(signal, start + at, float(after[at]), mean + side * limits.sure * sd, limits)

    def _event(self, signal: Signal, row: int, seen: float, limit: float, limits: Limits) -> Event:
        at = float(signal.step[row])
        text = f"mean of {limits.window_rows} rows, against baseline mean and {limits.sure:g} standard deviations"
        proof = (Evidence(signal.name, at, seen, limit, "", text, "level"),)
        return Event("baseline_departure", self.code, at, Severity.INFO, proof, resolution=spacing_at(signal, at))


@dataclass(frozen=True, kw_only=True, slots=True)
class SuddenChange:
    """A signal jumps, and no validation curve moves with it: other data, or a fault of the logging.

    The calibrated threshold rule. Rows are averaged in blocks; straight lines through the blocks before and after
    each place are carried up to it, and the jump between them is compared with its own standard error, with
    the autocorrelation of the blocks in it. A slow drift is no jump. Of a log so short that each row is an evaluation,
    or the mean of an epoch, the training loss alone is asked, row by row: so a detector shows where it was given whole
    images again.
    """

    code: ClassVar[str] = "B02"
    kinds: ClassVar[tuple[str, ...]] = ("level_shift", "data_change")
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = (
        "window_rows", "readings", "outlier", "gap", "most", "beside", "half_way", "visible_loss", "sure_of_many",
        "level_rows",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        recorded = inside(case.signals)
        followed = any(n.startswith("val/") for n in case.segments)
        if not followed or not (recorded or "train/loss" in case.segments):
            raise NotChecked("it takes a validation curve, and a training loss or a signal of the model's inside")
        there = [case.signals[n] for n in ("train/loss", *recorded) if n in case.signals]
        asked = [s for s in there if self._blocks(s, case.limits) is not None]
        if not asked:
            raise NotChecked(self._too_few(max(map(len, there)), case.limits))
        for signal in asked:
            yield from self.on(case, signal, case.limits.of(signal.name))

    def on(self, case: Case, signal: Signal, limits: Limits) -> Iterator[Event]:
        """The clearest jump of one signal that nothing explains."""
        found = self.largest_jump(signal, limits)
        if found is None or self._explained(case, found):
            return
        text = f"jumps by {found.sigmas:.0f} standard errors, from {found.before:.4g} to {found.after:.4g}"
        proof = (Evidence(signal.name, found.step, found.after, found.before, "", text, "level"),)
        yield Event(
            "data_change" if signal.name == "train/loss" else "level_shift",
            self.code,
            found.step,
            Severity.INFO,
            proof,
            interval=(found.since, found.step),
            resolution=spacing_at(signal, found.step),
        )

    def largest_jump(self, signal: Signal, limits: Limits) -> Jump | None:
        """The clearest jump of a signal, if any is clear enough."""
        blocks = self._blocks(signal, limits)
        if blocks is None:
            return None
        rows, side = blocks
        m = len(signal) // rows
        level = signal.value[: m * rows].reshape(m, rows).mean(axis=1)
        scale = max(_noise(signal.value) / np.sqrt(rows), _noise(level), 1e-12 * float(np.abs(level).max()), 1e-300)
        before, after, misfit = _ends(level, side)
        jump, run = after - before, side if rows == 1 else RUN
        error = np.maximum(scale, misfit) * _end_error(side) * np.sqrt(2)
        beyond = np.array(
            [self._holds(level, side + i, before[i], jump[i], run, limits.most) for i in range(len(jump))]
        )
        if rows > 1:  # batches have heavy tails
            sure, least = limits.outlier, np.full(len(jump), limits.gap * np.ptp(level))
        else:
            sure, least = limits.sure_of_many, limits.visible_loss * np.abs(before)
        clear = (np.abs(jump) > sure * error) & (np.abs(jump) > least) & beyond
        if not clear.any():
            return None
        i = int(np.argmax(np.where(clear, np.abs(jump), 0.0)))
        row = (side + i) * rows
        step, since = float(signal.step[row]), float(signal.step[row - rows])
        return Jump(step, since, float(before[i]), float(after[i]), float(abs(jump[i]) / error[i]), rows)

    def _too_few(self, rows: int, limits: Limits) -> str:
        """Why no signal could be asked, the longest of which has so many rows."""
        fewest = 2 * limits.level_rows + RUN
        return f"{rows:,} rows, and it takes {fewest if rows < fewest else 2 * limits.readings * limits.window_rows:,}"

    def _blocks(self, signal: Signal, limits: Limits) -> tuple[int, int] | None:
        """(rows of a block, blocks on either side of a place); None where the signal has too few rows."""
        if len(signal) <= EVALUATIONS and signal.name == "train/loss":
            side = limits.level_rows  # a training that is told to go on differently does so late
            return (1, side) if len(signal) >= 2 * side + RUN else None
        rows = max(limits.window_rows, len(signal) // BLOCKS)
        return (rows, limits.readings) if len(signal) // rows >= 2 * limits.readings else None

    def _holds(self, level: Floats, at: int, before: float, jump: float, run: int, most: float) -> bool:
        """Whether the blocks beside the jump lie on their own sides of its middle, and most of it is made at once."""
        share = (level[at - run : at + run] - before) / jump if jump else np.zeros(2 * run)
        across = max(share[run] - share[run - 2], share[run + 1] - share[run - 1])  # the jump may lie within a block
        return bool((share[:run] < 0.5).all() and (share[run:] > 0.5).all() and across > most)

    def _explained(self, case: Case, jump: Jump) -> bool:
        """Whether something was changed there by hand, the run left, or validation turns or moves there too."""
        at = jump.step
        near = case.limits.beside * max(at - case.first, 1.0)
        if any(abs(e.step - at) <= near or (e.kind == "divergence" and at >= e.step) for e in case.events):
            return True
        if jump.rows == 1:
            return not all(self._stands(s, jump, case.limits) for n, s in case.signals.items() if n in VALIDATED)
        vals = [s for n, s in case.segments.items() if n.startswith("val/")]
        return any(np.any(np.abs(s.edges[1:-1] - at) <= near) for s in vals)

    def _stands(self, val: Signal, jump: Jump, limits: Limits) -> bool:
        """Whether a validation curve is seen not to move where training jumps, as a share of its own level."""
        at = int(np.searchsorted(val.step, jump.step))
        before, after = val.value[max(at - limits.level_rows, 0) : at], val.value[at : at + limits.level_rows]
        if min(len(before), len(after)) < RUN:
            return False
        moved = abs(float(after.mean() - before.mean()))
        unsure = float(np.hypot(before.std() / len(before) ** 0.5, after.std() / len(after) ** 0.5))
        share = abs(jump.after - jump.before) / max(abs(jump.before), 1e-300)
        return moved + unsure <= limits.half_way * share * abs(float(before.mean()))


@dataclass(frozen=True, slots=True)
class Jump:
    """A sudden change of level."""

    step: Position  # of the first row of the block after it
    since: Position  # of the first row of the block before it
    before: float
    after: float
    sigmas: float  # its size in standard errors
    rows: int  # of each block


def _noise(values: Floats) -> float:
    """Standard deviation of the noise of one value that the mean of many behaves as if it had."""
    return float(np.sqrt(long_run_factor(values)) * white_noise(values))


def _ends(level: Floats, side: int) -> tuple[Floats, Floats, Floats]:
    """The lines through ``side`` blocks before and after each place, carried up to it, and their worse misfit."""
    windows = np.lib.stride_tricks.sliding_window_view(level, side)
    x = np.arange(side) - (side - 1) / 2
    slope, middle = windows @ x / (x @ x), windows.mean(axis=1)
    misfit = np.sqrt(((windows - middle[:, None] - slope[:, None] * x) ** 2).sum(axis=1) / (side - 2))
    forward, back = middle + slope * side / 2, middle - slope * side / 2
    places = len(level) - 2 * side + 1
    return forward[:places], back[side:], np.maximum(misfit[:places], misfit[side:])


def _end_error(side: int) -> float:
    """One standard error of a least-squares line at half a spacing beyond its end, in those of one block."""
    x = np.arange(side) - (side - 1) / 2
    return float(np.sqrt(1 / side + (side / 2) ** 2 / (x @ x)))
