"""Facts → the one word for the whole run.

The table is asked from the top; the first row whose condition holds names the run. A condition combines facts and
defines nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runopsy.facts import Case, Facts
from runopsy.facts.reward import reward_of
from runopsy.model import Evidence, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a verdict, why, and when."""

    verdict: str
    why: str | Callable[[Facts], str]
    holds: Callable[[Facts], bool]

    def reason(self, facts: Facts) -> str:
        return self.why if isinstance(self.why, str) else self.why(facts)


def _better(f: Facts) -> str:
    parts = []
    if f.better_loss:
        loss = f.curves["val/loss"]
        parts.append(f"loss (smoothed) from {loss.ends - f.better_loss.size:.3g} to {loss.ends:.3g}")
    if f.better_accuracy:
        acc = f.curves["val/acc"]
        parts.append(f"accuracy (smoothed) from {acc.best:.3g} to {acc.ends:.3g}")
    return "validation got worse while training went on: " + ", ".join(parts)


def _never_moved(f: Facts) -> str:
    if f.at_chance:
        return f"nothing was learnt: {f.at_chance.text}"
    if f.moved.size > 0 and f.moved.sure >= f.limits.sure:
        gained = f"{f.moved.curve} improved by {f.moved.size:.2g}, and {f.moved.limit:.2g} would count as a change"
        return f"hardly anything was learnt: {gained}"
    if not f.has_training:
        return "nothing was learnt: no curve moved by more than its noise"
    return "nothing was learnt: training never moved by more than its noise"


def _memorized(f: Facts) -> str:
    acc = f.curves.get("val/acc")
    if acc is None:
        return "training is fitted, and validation never improved by the last step"
    if f.left_chance:
        return f"training is fitted, and validation accuracy reached only {acc.ends:.3g} by the last step"
    return "training is fitted, and validation never left chance by the last step"


def _reward(f: Facts) -> str:
    """The reward's own report: where it began, its best, its end, as means of as many rows each."""
    signal = f.curves["reward"].signal
    found = reward_of(signal, f.limits)
    name = signal.source if "reward" in signal.source.lower() else f"the reward {signal.source}"
    of = "as logged" if found.rows == 1 else f"means of the first and the last {found.rows:,} rows"
    went = f"{name} went from {found.begins:.4g} to {found.ends:.4g} ({of})"
    if found.best > found.ends:
        went += f"; the highest such mean is {found.best:.4g}, around {found.best_at:,.6g}"
    return f"reinforcement learning: {went}; {found.ending}; losses beside a reward are not judged"


def _underfit(f: Facts) -> str:
    if f.stays_at_chance:
        return "validation never left chance, and training is far from fitting"
    if not f.has_accuracy:
        return f"validation stopped improving, and the training error is still {f.fits.size:.0%} of the first"
    if f.training_improves:
        return "validation stopped improving, and training is still far from fitting"
    if f.training_improves.sure >= f.limits.half_way * f.limits.likely:
        return "training ends far from fitting, and its last gain is small or within its noise"
    return "training stopped improving far from fitting"


def _healthy(f: Facts) -> str:
    if not f.fits:
        if f.training_improves:
            return "validation came down and has levelled off; training still improves"
        return "training and validation came down and have levelled off"
    how_far = f" ({f.fits.text})" if f.fits.text else ""
    if f.validation_stands:
        return f"training fits{how_far}, and validation stays at the level at which it began: nothing more carries over"
    if all(curve.flat and curve.sign * (curve.ends - curve.begins) <= 0 for curve in f.validation_curves):
        return f"training fits{how_far}, and validation shows no change beyond its noise"
    return f"training fits{how_far}, and validation follows"


def _never_improved(f: Facts) -> str:
    loss = f.curves["train/loss"]
    return f"the training loss went from {loss.begins:.3g} to {loss.ends:.3g}, and never improved beyond its noise"


def _went_back(f: Facts) -> str:
    loss = f.curves["train/loss"]
    return f"training got worse again: its loss (smoothed) was {loss.best:.3g} and ends at {loss.ends:.3g}"


def _undertrained(f: Facts) -> str:
    return "validation was still improving at the end"


def _noise_of(f: Facts) -> str:
    """How far the validation curve that decides varies from one row to the next."""
    curve = f.curves[f.unclear.curve]
    return f"the noise of {curve.signal.source} (± {f.unclear.size:.2g} from row to row)"


NO_VALIDATION = "no loss or accuracy of validation was found: whether it generalises cannot be judged"

VERDICTS: tuple[Row, ...] = (
    Row("inconclusive", lambda f: f"these rows are no training run: {f.not_a_run}", lambda f: bool(f.not_a_run)),
    Row(
        "diverged",
        lambda f: f"{f.broken.curve} is NaN or infinite at the end",
        lambda f: bool(f.broken),
    ),
    Row("inconclusive", _reward, lambda f: "reward" in f.curves),
    Row(
        "inconclusive",
        "the losses are those of adversarial training: a low value does not show a good fit",
        lambda f: f.players,
    ),
    Row(
        "inconclusive",
        "no loss and no accuracy was found, only scores: no fit can be judged",
        lambda f: not f.judged,
    ),
    Row("inconclusive", "too few rows to judge the shape of a curve", lambda f: f.rows < f.limits.few_rows),
    Row(
        "unstable",
        lambda f: f"{f.swings.curve} swings again and again, to the end: how it ended cannot be judged",
        lambda f: f.ends_swinging,
    ),
    Row(
        "unstable", "the training loss leaps again and again, to the end", lambda f: bool(f.many_spikes) and not f.moved
    ),
    Row(
        "grokked",
        "validation accuracy rose only after training was fitted",
        lambda f: f.late_gain is not None and f.late_gain.kept,
    ),
    Row("diverged", lambda f: f"most of what {f.lost.curve} had reached is lost at the end", lambda f: bool(f.lost)),
    Row(
        "inconclusive",
        lambda f: f"in {f.rows} rows no change can be distinguished from noise",
        lambda f: not f.moved and not f.at_chance and f.rows < f.limits.fewest_rows,
    ),
    Row("inconclusive", _never_improved, lambda f: not f.moved and bool(f.rose)),
    Row(
        "inconclusive",
        "nothing moved: the log begins with a trained model",
        lambda f: (
            not f.moved
            and f.start.trained
            and not f.far
            and not f.better_loss
            and not f.better_accuracy
            and not f.improving
        ),
    ),
    Row(
        "inconclusive",
        "nothing moved in this window of a longer run",
        lambda f: not f.moved and f.start.late and not f.at_chance,
    ),
    Row("inconclusive", "the training loss is exactly 0 in all rows", lambda f: not f.moved and f.only_zeros),
    Row(
        "inconclusive",
        "only validation was found, and it never improved by more than its noise",
        lambda f: not f.moved and not f.at_chance and not f.has_training and not f.has_accuracy,
    ),
    Row("underfit", _never_moved, lambda f: not f.moved and not f.start.trained),
    Row(
        "inconclusive",
        NO_VALIDATION,
        lambda f: not f.has_validation,
    ),
    Row(
        "inconclusive",
        "validation was logged too seldom to judge",
        lambda f: f.validations < f.limits.level_rows and not f.turn and not (f.training_improves and f.follows),
    ),
    Row(
        "inconclusive",
        "no training curve was found: whether training fits cannot be judged",
        lambda f: not f.has_training,
    ),
    Row(
        "double_descent", "validation fell, rose, and fell again", lambda f: f.peak is not None and bool(f.left_chance)
    ),
    Row("memorized", _memorized, lambda f: bool(f.fits and not f.left_chance and (f.gap or f.stays_at_chance))),
    Row(
        "overfit",
        _better,
        lambda f: bool(f.turn) and bool(f.better_accuracy or (f.better_loss and not f.accuracy_rose_since)),
    ),
    Row("memorized", _memorized, lambda f: bool(f.fits and f.gap and not f.generalised)),
    Row("overfit", "training is fitted, and validation is far behind it", lambda f: bool(f.fits and f.gap)),
    Row("undertrained", _undertrained, lambda f: f.still_improves),
    Row(
        "undertrained",
        "training still improves; within its noise, validation may improve too",
        lambda f: f.may_improve,
    ),
    Row(
        "inconclusive",
        "too few rows to judge whether it had stopped improving",
        lambda f: not f.fits and f.rows < f.limits.fewest_rows,
    ),
    Row(
        "memorized",
        "training went far ahead, and validation never left chance by the last step",
        lambda f: f.far_ahead,
    ),
    Row(
        "overfit",
        "training went far ahead of validation, which no longer improves",
        lambda f: bool(f.gap) and f.has_accuracy and not f.fits and not f.never_learns,
    ),
    Row(
        "inconclusive",
        lambda f: f"training still improves; {_noise_of(f)} hides whether validation does",
        lambda f: bool(f.training_improves and f.unclear) and not f.fits and not f.stays_at_chance,
    ),
    Row("underfit", _underfit, lambda f: bool(f.far) and f.far.sure >= f.limits.likely and not f.fits),
    Row(
        "inconclusive",
        "without an accuracy, how far this loss is from fitting cannot be judged",
        lambda f: not f.known or (not f.fits and bool(f.gap or not f.left_chance)),
    ),
    Row("inconclusive", _went_back, lambda f: bool(f.went_back)),
    Row("healthy", _healthy, lambda f: True),
)


def judge(case: Case) -> Verdict:
    """The verdict of a run, without how sure it is."""
    word, why = word_of(case.facts)
    score = case.signals.get("val/metric")
    if why == NO_VALIDATION and score is not None and len(score):
        found = f"of validation scores were found, as {score.source}"
        why = f"{found}, but no loss and no accuracy: no gap to training can be measured"
    return Verdict(word, why, _evidence(case))


def word_of(facts: Facts) -> tuple[str, str]:
    """The verdict and its reason."""
    row = _row_of(facts)
    return row.verdict, row.reason(facts)


def name_of(facts: Facts) -> str:
    """The verdict alone."""
    return _row_of(facts).verdict


def _row_of(facts: Facts) -> Row:
    return next(row for row in VERDICTS if row.holds(facts))


def _evidence(case: Case) -> tuple[Evidence, ...]:
    """Where each watched curve ended, against its best."""
    proof = []
    for name in ("train/loss", "train/acc", "val/loss", "val/acc"):
        signal = case.signals.get(name)
        if signal is None or not len(signal):
            continue
        best = float(signal.value.max() if name.endswith("acc") else signal.value.min())
        gone = signal.broken is not None and signal.broken[-1] > signal.step[-1]
        last, at = (
            (float("nan"), float(signal.broken[-1]))
            if gone and signal.broken is not None
            else (float(signal.value[-1]), float(signal.step[-1]))
        )
        proof.append(Evidence(name, at, last, best, "", "at the end, compared with its best"))
    return tuple(proof)
