"""What a column of a sweep's table is: a count of size, an outcome of training, a seed, or a setting.

A name shows it by its words; where it shows nothing, the values and their relation to the other columns do. A wrong
column is worse than none, so what is left open is not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runopsy.model import INSIDE
from runopsy.signal_specs import ERROR
from runopsy.signals.names import SIDES, words
from runopsy.stats import Floats

if TYPE_CHECKING:
    import polars as pl

# What is counted → the words that mean it, best first: a width that somebody chose rather than what follows from it.
SIZES: Mapping[str, tuple[str, ...]] = {
    "width": ("width", "widths", "hidden", "neurons", "neuron", "units", "channels", "filters", "features", "dmodel",
              "nfeatures", "nhidden", "heads"),
    "depth": ("depth", "layers", "nlayers", "blocks"),
    "examples": ("examples", "samples", "datapoints", "ntrain", "nsamples", "trainsize", "datasize"),
    "tokens": ("tokens", "ntokens"),
    "parameters": ("parameters", "parameter", "params", "param", "nparams", "numparams"),
}  # fmt: skip
PAIRS: Mapping[frozenset[str], str] = {
    frozenset(pair.split()): kind
    for kind, pairs in {
        "parameters": ("model size", "network size", "n non embedding"),
        "width": ("hidden size", "hidden dim", "d model", "model dim", "n embd", "embed dim", "embedding dim",
                  "num features"),
        "depth": ("n layer", "num layer"),
        "examples": ("train size", "training size", "dataset size", "data size", "sample size", "n train", "num train",
                     "train n", "num data"),
    }.items()
    for pair in pairs
}  # fmt: skip
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}  # letters behind a count, or in a header
COMPUTE = ("flop", "flops", "compute", "petaflops", "exaflops", "pflops", "macs")
LETTERS: Mapping[str, str] = {"n": "examples", "p": "width", "d": "width", "k": "width", "h": "width", "m": "width"}
RATIOS = (("p", "over", "n"), ("p", "n"), ("n", "p"), ("n", "over", "p"), ("n", "over", "d"), ("d", "n"), ("gamma",),
          ("params", "per", "example"), ("params", "per", "sample"))  # fmt: skip
# Words that make something else of a size: a rate of tokens, a batch, the noise of features, a measured norm.
FOREIGN = {"batch", "epoch", "epochs", "step", "steps", "iter", "iters", "iteration", "iterations", "seed", "lr",
           "rate", "decay", "dropout", "momentum", "time", "seconds", "second", "sec", "s", "ms", "hours", "gpu",
           "gpus", "vocab", "classes", "class", "seq", "sequence", "context", "image", "patch", "kernel", "window",
           "world", "buffer", "loss", "mse", "acc", "accuracy", "error", "err", "norm", "std", "var", "noise", "per",
           "warmup", "grad", "effective", "init", "scale", "multiplier", "log", "ratio", "bits", "memory",
           "gb", "mb", "best", "worst", "embeddings", *SIDES["val"], *SIDES["test"]}  # fmt: skip
SEEDS = ("seed", "seeds", "trial", "trials", "run", "rep", "reps", "repeat", "repetition", "replicate", "replica",
         "fold", "realization", "realisation", "draw", "split")  # fmt: skip
AXES = ("epoch", "epochs", "step", "steps", "iter", "iters", "iteration", "iterations", "update", "updates", "round")
LOSSES = ("loss", "losses", "nll", "mse", "rmse", "mae", "risk", "ce", "xent", "crossentropy", "entropy", "bpb", "bpc",
          "objective", "cost")  # fmt: skip
PERPLEXITY = ("ppl", "perplexity")
ERRORS = ("error", "errors", "err", "misclassification", "err1", "top1err")
ACCURACIES = ("acc", "accuracy", "acc1", "top1")
TRAIN = (*SIDES["train"], "empirical", "insample", "fit")
TEST = (*SIDES["test"], "generalization", "generalisation", "gen", "excess", "oos", "population")
# Words of what is made from an outcome, or stands beside it, without being one.
MADE = {"std", "stdev", "sd", "stderr", "sem", "se", "var", "variance", "min", "max", "gap", "diff", "delta", "ratio",
        "time", "theory", "theoretical", "predicted", "pred", "bound", "bias", "slope", "lr", "norm", "grad",
        "weight", "function", "fn", "type", "init", "initial", "first", "ci", "lo", "hi", "lower", "upper", "scale",
        "rank", "count", "steps", "epoch", "step", "top5", "acc5", "upto", "target", "reduction",
        "noise"}  # fmt: skip
MARGINS = {"std": 1.0, "stdev": 1.0, "sd": 1.0, "stderr": 1.0, "sem": 1.0, "se": 1.0}
A_LOG = 30  # different steps: fewer may be how long each of a few models was trained
FEWEST = 5  # sizes: four make a fall, a rise and a fall of one step each, and show nothing of noise
SPAN = 1.5  # largest size / least: less is no sweep over size
ALIKE = 0.99  # rank correlation from which two columns count the same thing
PERCENT = 1.5  # an accuracy or error above it is in percent
LEAST_LEVEL = 0.5  # share of a setting's levels that must have a curve of their own for it to split the table


@dataclass(frozen=True, slots=True)
class Outcome:
    """A column that shows how well something was learnt."""

    column: str
    side: str  # "train" or "test": what is not called training is what generalises
    kind: str  # "loss" or "error"
    complement: bool = False  # an accuracy, whose error is 1 - value
    log: bool = False  # a perplexity, whose loss is its logarithm

    def read(self, table: pl.DataFrame) -> Floats:
        """(rows,) the loss, or the error as a share; NaN where nothing was noted."""
        value = numbers(table[self.column])
        if self.kind == "error" and np.nanmax(value, initial=0) > PERCENT:
            value = value / 100
        if self.log:
            value = np.log(np.where(value > 0, value, np.nan))
        return np.asarray(1 - value if self.complement else value)


def numbers(column: pl.Series) -> Floats:
    """(rows,) a column as float64, NaN where it holds no number."""
    import polars as pl

    return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64)


def size_kind(name: str) -> str:
    """What a name counts: one of ``SIZES``, "compute", "ratio"; "" where it counts no size.

    >>> [size_kind(n) for n in ("Hidden Neurons", "n_params", "batch_size", "tokens per second", "D")]
    ['width', 'parameters', '', '', 'width']
    """
    if name.startswith(INSIDE):
        return ""
    parts = tuple(words(name.rsplit("/", 1)[-1] if name.startswith("config") else name))
    if parts in RATIOS:
        return "ratio"
    if parts[:1] in (("log",), ("log10",), ("log2",), ("ln",)):
        parts = parts[1:]
    if len(parts) == 1 and parts[0] in LETTERS:
        return LETTERS[parts[0]]
    if parts in (("size",), ("sizes",)):
        return "size"
    if any(w in FOREIGN for w in parts):
        return ""
    if any(w in COMPUTE for w in parts):
        return "compute"
    named = next((kind for pair, kind in PAIRS.items() if pair <= set(parts)), "")
    return named or next((kind for kind, known in SIZES.items() if any(w in known for w in parts)), "")


def outcome(name: str) -> Outcome | None:
    """The outcome that a name stands for; None where it names none.

    >>> found = outcome("Test Accuracy"); assert found; (found.side, found.kind, found.complement)
    ('test', 'error', True)
    """
    if name.startswith(INSIDE) or name.endswith(ERROR):
        return None
    parts = words(name)
    if any(w in MADE for w in parts):
        return None
    training = any(w in TRAIN for w in parts) and not any(w in (*TEST, *SIDES["val"]) for w in parts)
    side = "train" if training else "test"
    if any(w in PERPLEXITY for w in parts):
        return Outcome(name, side, "loss", log=True)
    if any(w in LOSSES for w in parts) or parts == ["l"]:
        return Outcome(name, side, "loss")
    if any(w in ACCURACIES for w in parts):
        return Outcome(name, side, "error", complement=True)
    return Outcome(name, side, "error") if any(w in ERRORS for w in parts) else None


def outcomes_of(table: pl.DataFrame, side: str) -> list[Outcome]:
    """The outcomes of one side, at most one loss and one error: of several, the test set's, and the plainest name.

    An "error" beyond 1 that is not in percent is a loss: the literature calls squared errors so.
    """
    found = []
    for name in table.columns:
        one = outcome(name)
        if one is None or one.side != side or not table[name].dtype.is_numeric():
            continue
        value = numbers(table[name])
        known = value[np.isfinite(value)]
        if not len(known) or (len(name) == 1 and bool((known == np.round(known)).all())):  # L may count layers
            continue
        if one.kind == "error" and not one.complement and not _is_rate(name, value):
            one = Outcome(name, side, "loss")
        found.append(one)
    best: list[Outcome] = []
    for kind in ("loss", "error"):
        mine = [one for one in found if one.kind == kind]
        best += sorted(mine, key=lambda one: _doubt(one, side))[:1]
    return best


def _is_rate(name: str, value: Floats) -> bool:
    """Whether an "error" is a share of examples: of values within 0 and 1, or in percent."""
    most = float(np.nanmax(value))
    squared = any(w in ("mean", "squared", "square", "prediction", "generalization", "excess") for w in words(name))
    return float(np.nanmin(value)) >= 0 and most <= 100 and (most <= 1 or (most >= 10 and not squared))


def _doubt(one: Outcome, side: str) -> tuple[bool, bool, int]:
    parts = words(one.column)
    named = any(w in (SIDES["test"] if side == "test" else SIDES["train"]) for w in parts)
    return (not named, "best" in parts, len(parts))


def margin_of(table: pl.DataFrame, one: Outcome) -> Floats | None:
    """(rows,) the standard deviation noted beside an outcome: test_loss_std for test_loss; None where there is none."""
    plain = {w for w in words(one.column) if w not in ("mean", "avg", "average")}
    for name in table.columns:
        parts = words(name)
        marked = [w for w in parts if w in MARGINS]
        if marked and plain and plain == {w for w in parts if w not in MARGINS and w not in ("mean", "avg", "average")}:
            return numbers(table[name]) / (
                100 if one.kind == "error" and np.nanmax(numbers(table[one.column])) > PERCENT else 1
            )
    return None


def seed_column(table: pl.DataFrame) -> str | None:
    """The column that numbers repetitions."""
    for name in table.columns:
        parts = words(name)
        if parts and parts[-1] in SEEDS and len(parts) <= 2 and table[name].n_unique() <= max(2, table.height // 2):
            return name
    return None


def axis_column(table: pl.DataFrame) -> str | None:
    """The column that counts training's own progress."""
    for name in table.columns:
        parts = words(name)
        if parts and len(parts) <= 2 and parts[-1] in AXES and table[name].dtype.is_numeric():
            return name
    return None


def same_order(a: Floats, b: Floats, *, opposite: bool = True) -> bool:
    """Whether two columns put the rows in one order; or in the opposite one, where that counts as well."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return False
    from scipy.stats import spearmanr

    found = float(spearmanr(a[known], b[known]).statistic)
    return found >= ALIKE or (opposite and found <= -ALIKE)


def is_size(value: Floats) -> bool:
    """Whether values can be sizes: positive, at least ``FEWEST`` of them, over more than a sliver of a range."""
    known = value[np.isfinite(value)]
    return (
        len(known) > 0
        and float(known.min()) > 0
        and len(np.unique(known)) >= FEWEST
        and float(known.max() / known.min()) >= SPAN
    )


def size_columns(table: pl.DataFrame) -> list[tuple[str, str]]:
    """(column, kind) of every column whose name and values are those of a size.

    What counts on with the steps of a training, such as the tokens it has seen, is none.
    """
    found = [(name, size_kind(name)) for name in table.columns if table[name].dtype.is_numeric()]
    axis = axis_column(table)
    course = None if axis is None or table[axis].n_unique() <= A_LOG else numbers(table[axis])
    return [
        (name, kind)
        for name, kind in found
        if kind and is_size(value := numbers(table[name])) and (course is None or not same_order(value, course))
    ]


def by_relation(table: pl.DataFrame, taken: Sequence[str]) -> str | None:
    """The only column of whole positive numbers that training fits better and better with; None where none is."""
    train = outcomes_of(table, "train")
    if not train:
        return None
    fit = train[0].read(table)
    found = []
    for name in table.columns:
        if (
            name in taken
            or outcome(name)
            or any(w in FOREIGN for w in words(name))
            or not table[name].dtype.is_numeric()
        ):
            continue
        value = numbers(table[name])
        known = np.isfinite(value)
        if is_size(value) and bool((value[known] == np.round(value[known])).all()) and _falls_with(value, fit):
            found.append(name)
    return found[0] if len(found) == 1 else None


def _falls_with(value: Floats, fit: Floats) -> bool:
    from scipy.stats import spearmanr

    known = np.isfinite(value) & np.isfinite(fit)
    return known.sum() >= FEWEST and bool(spearmanr(value[known], fit[known]).statistic <= -0.8)
