"""Scaling laws: how the loss falls with parameters and data, how surely, and what a budget is best spent on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.report.words import number
from runopsy.stats import MAD_TO_SD, Floats
from runopsy.study.scaling_choice import choose
from runopsy.study.scaling_columns import FLOPS, Columns, Quantity, columns_of
from runopsy.study.scaling_fits import BROKEN, JOINT, Fit, fit
from runopsy.study.size_columns import same_order
from runopsy.study.size_curve import Trainings, points_of, turns_of
from runopsy.study.size_layout import last_rows
from runopsy.thresholds import DEFAULTS

if TYPE_CHECKING:
    import polars as pl

DRAWS = 100  # of the bootstrap: the ends of an interval of 90 % are then known to about a tenth of its width
MASS = 0.9  # of an interval; measured by `make bench-sizes`
RANGE = 10.0  # largest / least of a quantity: over less than a decade every smooth curve is a power law
FEWEST_JOINT = 8  # runs, three more than parameters
FEWEST_ALONE = 5  # sizes
MOST_PARTS = 12  # families of models in one table: more are names of runs
DIFFERENT = 3  # sizes of each quantity of a law in two
HELD = 0.2  # share of the runs, those of the most compute, that the law is tested on
TOGETHER = 0.98  # correlation of log parameters with log data from which their terms are not separated
LARGEST = 700.0  # logarithm of a number, just within what a float holds
OUTLIER_ROUNDS = 5  # fits after each of which runs far off are left out


@dataclass(frozen=True, slots=True)
class Number:
    """An estimate with its interval of ``MASS``."""

    at: float
    interval: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        return {"at": self.at, "interval": list(self.interval)}


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """A scaling law, or why the data give none."""

    form: str | None
    over: tuple[str, ...]  # the quantities: columns, or how they were made
    loss: str  # its column
    runs: int  # fitted
    law: Mapping[str, Number] = field(default_factory=dict)
    optimal: Mapping[str, Number] | None = None  # what a budget is best spent on
    budget: float | None = None  # FLOP
    held_out: Mapping[str, float] | None = None  # the test on the largest runs
    gains: Mapping[str, float] = field(default_factory=dict)  # of the laws that were compared, in nats
    left_out: int = 0  # runs far off the law
    sentences: tuple[str, ...] = ()
    columns: Columns | None = None  # of the runs fitted, for pictures
    fit: Fit | None = None
    groups: tuple[tuple[str, Scaling], ...] = ()  # by family of models, where there are several; this is one

    def as_json(self) -> dict[str, Any]:
        """The object of ``sweep --format json``."""
        return {
            "form": self.form,
            **{name: one.at for name, one in self.law.items()},
            "intervals": {name: list(one.interval) for name, one in self.law.items()},
            "optimal": None
            if self.optimal is None
            else {"budget": self.budget, **{name: one.as_json() for name, one in self.optimal.items()}},
            "held_out": None if self.held_out is None else dict(self.held_out),
            "compared": dict(self.gains),
            "over": list(self.over),
            "loss": self.loss,
            "runs": self.runs,
            "left_out": self.left_out,
            "sentences": list(self.sentences),
            "groups": [{"label": label, **one.as_json()} for label, one in self.groups],
        }


def scaling_of(
    table: pl.DataFrame,
    *,
    parameters: str | None = None,
    data: str | None = None,
    loss: str | None = None,
    budget: float | None = None,
) -> Scaling | None:
    """The scaling law of a table of finished trainings.

    Args:
        table: one row per training, or one for each of its epochs, of which the last counts.
        parameters: the column that counts parameters; None: by name.
        data: the column that counts tokens or examples; None: by name, or from compute as C = 6 N D.
        loss: the column of the loss; None: by name, that of the test set first.
        budget: compute in FLOP for which parameters and data are chosen; None: that of the largest run.

    Returns:
        None where no column counts a size, or none is a loss. Where the data determine no law, ``form`` is None and
        a sentence gives the reason.

    Raises:
        BadOption: a name that is no column.
    """
    table = last_rows(table)
    parts = list(_parts(table))
    if len(parts) == 1:
        return _law_of(table, parameters, data, loss, budget)
    each = [(label, _law_of(rows, parameters, data, loss, budget)) for label, rows in parts]
    found = [(label, one) for label, one in each if one is not None]
    if not found:
        return None
    first = next((one for _, one in found if one.form is not None), found[0][1])
    sentences = tuple(f"{label}: {sentence}" for label, one in found for sentence in one.sentences)
    return replace(first, groups=tuple(found), sentences=sentences)


def _parts(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each family of models, data set or other thing that is distinguished by words."""
    import polars as pl

    named = [
        name
        for name in table.columns
        if table[name].dtype == pl.String
        and 2 <= table[name].n_unique() <= MOST_PARTS
        and table[name].value_counts()["count"].to_numpy().min() >= FEWEST_JOINT
    ]
    if not named:
        yield "", table
        return
    for key, rows in table.group_by(named, maintain_order=True):
        yield ", ".join(dict.fromkeys(map(str, key))), rows


def _law_of(
    table: pl.DataFrame, parameters: str | None, data: str | None, loss: str | None, budget: float | None
) -> Scaling | None:
    columns = columns_of(table, parameters, data, loss)
    if columns is None:
        return None
    n, d = columns.of("parameters"), columns.of("data")
    if n is not None and d is not None and _not_joint(n, d, columns) is None:
        return _joint(columns, n, d, budget)
    notes = () if n is None or d is None else (f"{_not_joint(n, d, columns)}.",)
    alone = _widest(columns)
    why = _not_alone(alone, columns)
    if why is not None:
        over = tuple(q.name for q in columns.quantities)
        sentences = (*notes, f"These data determine no scaling law: {why}.")
        return Scaling(None, over, columns.loss_name, len(columns.loss), sentences=sentences, columns=columns)
    return _alone(columns, alone, notes)


# --- what the data determine -----------------------------------------------------------------------


def _not_joint(n: Quantity, d: Quantity, columns: Columns) -> str | None:
    """Why these data do not determine the shares of parameters and data; None where they can."""
    for one in (n, d):
        if len(np.unique(one.value)) < DIFFERENT:
            return f"{one.name} has {_count(len(np.unique(one.value)), 'size')}"
        if one.value.max() < RANGE * one.value.min():
            return (
                f"{one.name} spans a factor of {number(float(f'{one.value.max() / one.value.min():.2g}'))}, less than "
                f"{number(RANGE)}"
            )
    if len(columns.loss) < FEWEST_JOINT:
        return f"{len(columns.loss)} runs are too few for five parameters"
    if abs(float(np.corrcoef(np.log(n.value), np.log(d.value))[0, 1])) > TOGETHER:
        return f"{n.name} and {d.name} rise together: their shares of the loss cannot be separated"
    return None


def _count(number_of: int, what: str) -> str:
    return f"one {what} only" if number_of == 1 else f"{number_of} {what}s only"


def _widest(columns: Columns) -> Quantity:
    """The quantity that spans the most, parameters before data before compute where they span the same."""
    return max(columns.quantities, key=lambda one: round(float(np.log10(one.value.max() / one.value.min())), 1))


def _not_alone(one: Quantity, columns: Columns) -> str | None:
    """Why these data determine no law in one quantity; None where they can."""
    count = len(np.unique(one.value))
    if count < FEWEST_ALONE:
        return f"{one.name} has {_count(count, 'size')}"
    if one.value.max() < RANGE * one.value.min():
        ratio = number(float(f"{one.value.max() / one.value.min():.2g}"))
        return f"{one.name} spans a factor of {ratio}, less than {number(RANGE)}"
    others = [q for q in columns.quantities if q is not one and q.value.max() >= RANGE * q.value.min()]
    apart = [q.name for q in others if not same_order(q.value, one.value)]
    if apart:
        return f"{one.name} and {apart[0]} differ from run to run at once, and no law in both was fitted"
    points = points_of(Trainings(one.value, columns.loss), "loss")
    if points is None or turns_of(points).directions != (-1,):
        return f"{columns.loss_name} does not fall all along {one.name}"
    return None


# --- a law in parameters and data ------------------------------------------------------------------


def _joint(columns: Columns, n: Quantity, d: Quantity, budget: float | None) -> Scaling:
    sizes = np.stack([n.value, d.value])
    found, kept = _without_outliers(sizes, columns.loss)
    sizes, loss = sizes[:, kept], columns.loss[kept]
    draws = list(_bootstrap(found, sizes, loss))
    law = _numbers(_joint_law(found), [_joint_law(one) for one in draws])
    budget = float(FLOPS * (sizes[0] * sizes[1]).max()) if budget is None else budget
    optimal = _numbers(_optimum(found, budget), [_optimum(one, budget) for one in draws])
    test = _tested(sizes, loss)
    left = len(kept) - int(kept.sum())
    sentences = tuple(_joint_words(law, optimal, budget, test, left, n, d))
    kept_columns = Columns(
        tuple(Quantity(q.name, q.kind, q.value[kept]) for q in columns.quantities), loss, columns.loss_name
    )
    return Scaling(JOINT.name, (n.name, d.name), columns.loss_name, len(loss), law, optimal, budget, test,
                   left_out=left, sentences=sentences, columns=kept_columns, fit=found)  # fmt: skip


def _without_outliers(sizes: Floats, loss: Floats) -> tuple[Fit, Any]:
    """The law, and which runs follow it: one that was cut short, or diverged, lies far above and pulls all the rest."""
    kept = np.ones(len(loss), dtype=bool)
    found = fit(JOINT, sizes, loss)
    for _ in range(OUTLIER_ROUNDS):
        off = np.abs(np.log(loss) - found.log_loss(sizes))
        near = off <= DEFAULTS.outlier * MAD_TO_SD * max(float(np.median(off[kept])), 1e-6)
        if np.array_equal(near, kept) or near.sum() < FEWEST_JOINT:
            break
        kept = near
        found = fit(JOINT, sizes[:, kept], loss[kept])
    return found, kept


def _bootstrap(found: Fit, sizes: Floats, loss: Floats) -> Iterator[Fit]:
    """The law of runs drawn with replacement, again and again; always the same draws."""
    random = np.random.default_rng(0)
    for _ in range(DRAWS):
        drawn = random.integers(0, len(loss), len(loss))
        yield fit(found.form, sizes[:, drawn], loss[drawn], found)


def _numbers(at: Mapping[str, float], draws: list[dict[str, float]]) -> dict[str, Number]:
    """Each estimate with the percentiles of its draws."""
    tails = (1 - MASS) / 2
    return {
        name: Number(value, tuple(np.quantile([one[name] for one in draws], [tails, 1 - tails]).tolist()))
        for name, value in at.items()
    }


def _joint_law(found: Fit) -> dict[str, float]:
    a, alpha, b, beta, e = found.theta
    return {
        "E": float(np.exp(e)),
        "A": _exp(a + alpha * found.centre[0]),
        "alpha": float(alpha),
        "B": _exp(b + beta * found.centre[1]),
        "beta": float(beta),
    }


def _exp(log: float) -> float:
    """A draw whose exponent is out of bounds has a coefficient beyond all floats."""
    return float(np.exp(np.clip(log, -LARGEST, LARGEST)))


def _optimum(found: Fit, budget: float) -> dict[str, float]:
    """What a budget is best spent on: the minimum of A/N^α + B/D^β where 6 N D is the budget."""
    a, alpha, b, beta, _ = found.theta
    share = beta / (alpha + beta)
    # in logarithms: a draw whose exponent is near 0 has an A beyond all floats
    log_g = (np.log(max(alpha, 1e-6)) + a + alpha * found.centre[0]
             - np.log(max(beta, 1e-6)) - b - beta * found.centre[1]) / (alpha + beta)  # fmt: skip
    log_n = float(np.clip(log_g + share * np.log(budget / FLOPS), -LARGEST, LARGEST))
    n = np.exp(log_n)
    d = budget / FLOPS / n
    loss = np.exp(found.log_loss(np.array([[n], [d]]))[0])
    return {"parameters": float(n), "data": float(d), "loss": float(loss), "exponent": float(share),
            "data_per_parameter": float(d / n)}  # fmt: skip


def _tested(sizes: Floats, loss: Floats) -> dict[str, float] | None:
    """The law of the smaller runs, tested on the largest: how far it is off there, as a share of the loss."""
    compute = sizes.prod(axis=0)
    out = compute >= np.quantile(compute, 1 - HELD)
    if (~out).sum() < FEWEST_JOINT:
        return None
    found = fit(JOINT, sizes[:, ~out], loss[~out])
    off = np.log(loss[out]) - found.log_loss(sizes[:, out])
    return {"runs": int(out.sum()), "error": float(np.mean(np.abs(off))), "bias": float(np.mean(off))}


def _joint_words(
    law: Mapping[str, Number],
    optimal: Mapping[str, Number],
    budget: float,
    test: Mapping[str, float] | None,
    left: int,
    n: Quantity,
    d: Quantity,
) -> Iterator[str]:
    yield f"Loss = E + A/N^α + B/D^β with N = {n.name}, D = {d.name}: {_listed(law)}."
    for name, one in law.items():
        if name in ("alpha", "beta") and one.interval[1] - one.interval[0] > one.at:
            yield f"These data do not determine {name}: its interval is wider than its value."
    if left:
        apart = f"more than {number(DEFAULTS.outlier)} standard deviations off the law of the others"
        yield f"{_runs(left)} left out: {apart}."
    if test is not None:
        yield (
            f"The law of the smaller runs predicts the largest {test['runs']:.0f} to {100 * test['error']:.2g} % of "
            "their loss."
        )
    yield (
        f"A budget of {number(budget)} FLOP (C = 6 N D) is best spent on {_rounded(optimal['parameters'])} parameters "
        f"and {_rounded(optimal['data'])} tokens or examples; the optimal N grows as C^{_rounded(optimal['exponent'])}."
    )


def _runs(count: int) -> str:
    return "1 run was" if count == 1 else f"{count} runs were"


def _listed(law: Mapping[str, Number]) -> str:
    return ", ".join(f"{name} {_rounded(one)}" for name, one in law.items())


def _rounded(one: Number) -> str:
    at, low, high = (number(float(f"{v:.3g}")) for v in (one.at, *one.interval))
    return f"{at} ({low} to {high})"


# --- a law in one quantity -------------------------------------------------------------------------


def _alone(columns: Columns, one: Quantity, notes: tuple[str, ...]) -> Scaling:
    sizes = one.value[None]
    choice = choose(sizes, columns.loss)
    found = fit(choice.fit.form, sizes, columns.loss)
    law = _numbers(_law_in_one(found), [_law_in_one(draw) for draw in _bootstrap(found, sizes, columns.loss)])
    sentences = (*notes, *_words_in_one(law, found, one, choice.gains))
    return Scaling(found.form.name, (one.name,), columns.loss_name, len(columns.loss), law, gains=choice.gains,
                   sentences=sentences, columns=columns, fit=found)  # fmt: skip


def _law_in_one(found: Fit) -> dict[str, float]:
    theta = dict(zip(found.form.parameters, found.theta.tolist(), strict=True))
    law = {"A": _exp(theta["log_A"] + theta["alpha"] * found.centre[0]), "alpha": theta["alpha"]}
    if "log_E" in theta:
        law["E"] = float(np.exp(theta["log_E"]))
    if "log_break" in theta:
        law["alpha_after"] = theta["alpha"] + theta["more"]
        law["break"] = _exp(theta["log_break"] + found.centre[0])
    return law


def _words_in_one(law: Mapping[str, Number], found: Fit, one: Quantity, gains: Mapping[str, float]) -> Iterator[str]:
    yield f"Loss = {found.form.name} with x = {one.name}: {_listed(law)}."
    if found.form is BROKEN:
        yield (
            f"The law breaks at {one.name} {_rounded(law['break'])}: an exponent of {_rounded(law['alpha'])} before "
            f"it, of {_rounded(law['alpha_after'])} after."
        )
    best = max(gains, key=lambda name: gains[name])
    if best != found.form.name:
        yield (
            f"“{best}” predicts held-out runs hardly better ({gains[best] - gains[found.form.name]:.1f} nats): these "
            "data do not show whether it is so."
        )
