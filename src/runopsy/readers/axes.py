"""What the rows of a table are counted by, and when they were written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runopsy.readers.consecutive_runs import Logged, counted_on, parts
from runopsy.readers.multi_run_tables import ATTEMPT_NAMES, are_amounts, column_of_runs, is_counter
from runopsy.readers.numeric_text import MOSTLY, seconds_in
from runopsy.readers.resume_detection import DISORDER
from runopsy.readers.text_passes import IN_BAR
from runopsy.signals.names import guess, is_learning_rate, words
from runopsy.signals.scores import is_metric

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from runopsy.model import Counts, Values
    from runopsy.readers.numeric_text import Numbers, Table

# Names of axis columns after ``plain``, best first; an axis named earlier is preferred.
AXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "step",
        ("global_step", "trainer_global_step", "train_global_step", "step", "steps", "train_step", "training_step",
         "optimizer_step", "current_step", "update", "updates", "num_updates", "iteration", "iterations", "iter",
         "iters", "n_iter", "it", "timesteps", "num_timesteps", "total_timesteps", "time_total_timesteps",
         "timesteps_total", "misc_total_timesteps", "total_env_interacts", "total_env_steps", "env_steps",
         "environment_steps", "num_env_steps", "num_env_steps_sampled", "total_num_steps", "current_steps", "cur_step",
         "total_steps", "_step", "batch", "round", "rounds", "boosting_round", "training_iteration", "generation",
         "global_episode", "episode", "episodes", "episode_num", "i_episode"),
    ),
    ("epoch", ("epoch", "epochs", "ep", "epoch_num", "current_epoch", "train_epoch")),
    ("tokens", ("tokens", "total_tokens", "tokens_seen", "num_tokens", "num_input_tokens_seen",
                "throughput_total_tokens")),
    ("samples", ("samples", "samples_seen", "num_samples", "samples_count", "examples", "examples_seen", "images_seen",
                 "consumed_samples", "consumed_train_samples")),
    ("time", ("timestamp", "_timestamp", "wall_time", "walltime", "unix_time", "datetime", "date", "time", "elapsed",
              "elapsed_time", "_runtime")),
)  # fmt: skip
CLOCKS = ("timestamp", "_timestamp", "wall_time", "walltime", "unix_time", "datetime", "time", "elapsed",
          "elapsed_time", "_runtime")  # fmt: skip
STEPS, EPOCHS = dict(AXES)["step"], dict(AXES)["epoch"]
COUNTING = {word for _, words in AXES for word in words} | set(CLOCKS)
CROWDED = 1 / 3  # share of values that share their epoch with the value before: it is logged more finely than that
ALIKE = 1.5  # × between the ends of two counters that take turns: validations count to a hundredth of the steps
FEW_AMOUNTS = 100  # rows: more in no order are an export that was shuffled, fewer are a table of data sets
SINCE = 1e8  # s: a clock beyond it counts from 1970 (this is March 1973), not from the start of the run
FINER = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))  # a clock beyond it counts ns, µs, ms: as seconds, the year 5138


class Axis(NamedTuple):
    """What positions count, and where each row stands."""

    counts: str  # "step", "epoch", "tokens", "samples", "time" or "row"
    column: str | None
    at: Values  # (rows,) NaN where a row gives none
    runs: tuple[tuple[int, int], ...] = ()  # bounds of the rows of each, where one run follows another


def plain(name: str) -> str:
    """A column's name for comparison: lower case, any run of separators as one underscore."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s./\\:#()\[\]-]+|__+", "_", spaced.lower()).rstrip("_")


def rows_in(table: Table) -> int:
    return len(next(iter(table.values())))


class Apart(NamedTuple):
    """No axis: the rows are of several runs."""

    column: str  # each of its values is a run


def choose(table: Table, numbers: Numbers, kinds: pl.Series | None, notes: list[str]) -> Axis | Apart:
    """The best of the columns that count something; the number of the row where none does.

    Args:
        table: the columns as they are.
        numbers: what of them are numbers.
        kinds: what each row is of, where a column gives it: the metric of a long table, train or val.
        notes: where it is reported what was passed over.
    """
    plain_names = {name: plain(name) for name in table}
    by_plain = {plain_names[name]: name for name in reversed(list(table))}
    there = _there(kinds, rows_in(table))
    columns = _longest_first(numbers, plain_names)
    longest = _logged(columns[0], there) if columns else Logged(np.flatnonzero(there), np.full(len(there), np.nan))
    series, curve = longest.rows, longest.value
    for counts, known in AXES:
        alike = [by_plain[word] for word in known if word in by_plain]
        shared = _in_turn(alike, numbers, notes) if counts != "time" else None
        for name in alike:
            at, dated = _positions(table[name], numbers[name]) if shared is None else (shared, False)
            if at is None:
                continue
            really = "time" if dated else counts
            trouble = _trouble(really, at) or _gaps(at[series])
            trouble = trouble or _disorder_beside_a_counter(really, at, series, numbers, plain_names)
            if not trouble:
                at = since_start(at) if really == "time" else _end_to_end(at, series, numbers, plain_names, name, notes)
                runs = column_of_runs(table, numbers, plain_names, name, at, series)
                if runs is not None:
                    return Apart(runs)
                trouble = _not_as_fine_as_the_rows(really, at[series], curve[series])
                trouble = trouble or _falls_within_epochs(at, series, numbers, plain_names, name)
            if not trouble:
                if not _falls(at):
                    return Axis(really, name, at)
                curves = [longest, *(_logged(column, there) for column in columns[1:])]
                if really in ("step", "epoch") and not ATTEMPT_NAMES & set(plain_names.values()):
                    at = _counted_on(at, curves, _settings(table, plain_names), name, notes)
                return Axis(really, name, at, parts(really, at, curves, name, plain_names, numbers, EPOCHS))
            notes.append(f"column {name!r} {trouble}, so it is not the axis")
    notes.append("no column counts steps, epochs, tokens, samples or time: rows are counted instead")
    return Axis("row", None, np.arange(rows_in(table), dtype=np.float64))


def _counted_on(at: Values, curves: list[Logged], settings: list[pl.Series], name: str, notes: list[str]) -> Values:
    found = counted_on(at, curves, settings)
    if found is not at and not np.array_equal(found, at, equal_nan=True):
        notes.append(f"column {name!r} starts again while the curves go on at their level: one run, counted on")
        return found
    return at


def _settings(table: Table, plain_names: dict[str, str]) -> list[pl.Series]:
    """The columns that are neither a metric, a count nor the rate, which a script may lower where it goes on."""
    kept = [name for name in table if plain_names[name] not in COUNTING and not is_metric(name)]
    return [table[name] for name in kept if "lr" not in words(name) and not is_learning_rate(name)]


def _in_turn(names: list[str], numbers: Numbers, notes: list[str]) -> Values | None:
    """Two columns that count alike in different rows, as one: ``iter`` beside losses, ``step`` beside evaluations."""
    columns = [(name, column) for name in names if (column := numbers[name]) is not None and column.count()]
    if len(columns) != 2:
        return None
    (one, first), (other, second) = columns
    if (first.is_not_null() & second.is_not_null()).any():
        return None
    import polars as pl

    both = pl.select(pl.coalesce(first, second)).to_series().to_numpy().astype(np.float64)
    known = both[~np.isnan(both)]
    ends = [float(column.max() or 0.0) for column in (first, second)]  # type: ignore[arg-type]  # of numbers
    if not rises(known) or max(ends) > ALIKE * max(min(ends), 1.0):
        return None
    notes.append(f"columns {one!r} and {other!r} never stand in one row and count alike: they are one axis")
    return both


def _there(kinds: pl.Series | None, rows: int) -> NDArray[np.bool_]:
    """(n,) the rows of the commonest kind; all of them where no column gives one."""
    if kinds is None or not kinds.count():
        return np.ones(rows, dtype=bool)
    return np.asarray((kinds == kinds.drop_nulls().mode().sort()[0]).fill_null(value=False).to_numpy())


def _longest_first(numbers: Numbers, plain_names: dict[str, str]) -> list[pl.Series]:
    """The curves of a table, that with the most values first; of several as long, the plainest."""
    metrics = {n: c for n, c in numbers.items() if c is not None and plain_names[n] not in COUNTING}
    curves = {name: column for name, column in metrics.items() if is_metric(name)} or metrics
    ordered = sorted(curves.items(), key=lambda c: (c[0].endswith(IN_BAR), c[1].null_count(), _doubt(c[0])))
    return [column for _, column in ordered]


def _falls(at: Values) -> bool:
    """Whether an axis is ever at an earlier position than in the row before."""
    known = at[~np.isnan(at)] if np.isnan(at).any() else at
    return bool((known[1:] < known[:-1]).any())


def _logged(column: pl.Series, there: NDArray[np.bool_]) -> Logged:
    """A column as a curve; rows of other curves may lie anywhere between its own, or after them."""
    return Logged(np.flatnonzero(column.is_not_null().to_numpy() & there), column.to_numpy().astype(np.float64))


def _doubt(name: str) -> float:
    """How unlikely a column is to show how the training goes: of curves of one length the plainest loss does."""
    found = guess(name)
    return np.inf if found is None else found.doubt


def clock(table: Table, numbers: Numbers, at: Values) -> Values | None:
    """Wall time of each row in seconds, if a column holds it and rises along the file or the axis, as a clock does.

    A row that lacks it is given the time of the one before.
    """
    by_plain = {plain(name): name for name in reversed(list(table))}
    for name in (by_plain[word] for word in CLOCKS if word in by_plain):
        seconds, _ = _positions(table[name], numbers[name])
        if seconds is None or np.isnan(seconds).mean() > 1 - MOSTLY:
            continue
        for order in (np.arange(len(at)), np.argsort(at, kind="stable")):
            known = seconds[order][~np.isnan(seconds[order])]
            if rises(known):
                if not np.isnan(seconds).any():
                    return in_seconds(seconds)
                import polars as pl

                filled = np.empty(len(at))
                filled[order] = pl.Series(seconds[order]).fill_nan(None).forward_fill().backward_fill().to_numpy()
                return in_seconds(filled)
    return None


def in_seconds(at: Values) -> Values:
    """A clock in seconds, whether it counts seconds or thousandths, millionths or billionths of them."""
    middle = float(np.nanmedian(at)) if not np.isnan(at).all() else 0.0
    return at / next((unit for limit, unit in FINER if middle > limit), 1.0)


def since_start(at: Values) -> Values:
    at = in_seconds(at)
    return at - np.nanmin(at) if np.nanmin(at) > SINCE else at


def _positions(column: pl.Series, numbers: pl.Series | None) -> tuple[Values | None, bool]:
    """(what a column holds as positions, whether it holds dates); None where it holds neither."""
    dated = numbers is None
    found = seconds_in(column) if dated else numbers
    if found is None:
        return None, False
    values = found.to_numpy().astype(np.float64, copy=False)
    finite = values if np.isfinite(values).all() else np.where(np.isfinite(values), values, np.nan)
    return (None if np.isnan(finite).all() else finite), dated


def _trouble(counts: str, at: Values) -> str:
    """Why a column that is called like an axis is none; empty where it is one."""
    filled = at[~np.isnan(at)] if np.isnan(at).any() else at
    if len(filled) < MOSTLY * len(at):
        return "is empty in most rows"
    if len(at) > 1 and (filled == filled[0]).all():
        return "never changes"
    if counts in ("tokens", "samples") and len(filled) < FEW_AMOUNTS and are_amounts(filled):
        return "goes up and down as no counter does"
    if counts == "time" and not (rises(filled) or rises(filled[::-1])):
        return "goes up and down as no clock does"
    return ""


def _gaps(at: Values) -> str:
    """Why a column that other rows fill means nothing for one curve; empty where it does."""
    return "is empty along the longest curve" if len(at) and np.isnan(at).mean() > 1 - MOSTLY else ""


def _not_as_fine_as_the_rows(counts: str, at: Values, value: Values) -> str:
    """Why the order of the rows of one curve counts before the column; empty where it does not."""
    if len(at) > 1 and (at == at[0]).all():
        return "never changes along the longest curve"
    if np.unique(at[~np.isnan(at)], return_counts=True)[1].max(initial=0) > max(1, MOSTLY * len(at)):
        return "has one value in most rows of the longest curve"  # as an axis it would keep one of them
    if counts == "step":
        return "counts to the same end again and again" if is_counter(at, value) else ""
    crowded = len(at) > 1 and np.mean(at[1:] == at[:-1]) > CROWDED
    return "stands still over several values" if crowded else ""


def _falls_within_epochs(at: Values, series: Counts, numbers: Numbers, plain_names: dict[str, str], name: str) -> str:
    """Why a column that falls is none to count by where an epoch, in fractions, goes on rising; empty elsewhere."""
    steps = at[series]
    falls = np.flatnonzero(steps[1:] < steps[:-1]) + 1
    if not len(falls):
        return ""
    for epochs in (numbers[other] for other, word in plain_names.items() if word in EPOCHS and other != name):
        epoch = None if epochs is None else epochs.to_numpy()[series].astype(np.float64)
        if epoch is None or np.isnan(epoch).any() or (epoch == np.round(epoch)).all():
            continue
        if (epoch[1:] >= epoch[:-1]).all() and (epoch[falls] > epoch[falls - 1]).all():
            return "starts again while the epoch goes on"
    return ""


def _disorder_beside_a_counter(
    counts: str, at: Values, series: Counts, numbers: Numbers, plain_names: dict[str, str]
) -> str:
    """Why a column of steps that falls again and again is none where another goes up with every row: it is a length.

    So a table of episodes has ``steps``, how long each episode was, beside ``episode``.
    """
    if counts != "step" or rises(at[series]):
        return ""
    for other, word in plain_names.items():
        column = numbers[other]
        if word in STEPS and column is not None and not column.null_count():
            counter = column.to_numpy()[series]
            if rises(counter) and (counter[1:] != counter[:-1]).all():
                return f"goes up and down while {other!r} goes up with every row"
    return ""


def rises(values: Values) -> bool:
    """Whether values go up, but for a few falls as of a run that was resumed."""
    falls = values[1:] < values[:-1]
    return int(falls.sum()) <= max(1, DISORDER * len(falls)) and bool((values[1:] > values[:-1]).any())


def _end_to_end(
    at: Values, series: Counts, numbers: Numbers, plain_names: dict[str, str], name: str, notes: list[str]
) -> Values:
    """Steps that start again in every epoch, as a batch number does, laid one epoch after the other."""
    for epochs in (numbers[other] for other, word in plain_names.items() if word in EPOCHS and other != name):
        if epochs is None or not epochs.count():
            continue
        epoch = epochs.forward_fill().backward_fill().to_numpy()  # a row of another curve may lack it
        if not _restarts_with(at[series], epoch[series]):
            continue
        notes.append(f"column {name!r} starts again in every epoch: the epochs are placed one after the other")
        low, high = np.nanmin(at), np.nanmax(at)
        apart = np.diff(np.unique(at[~np.isnan(at)]))
        length = high - low + (float(apart.min()) if len(apart) else 1.0)
        return np.asarray(at + (epoch - np.nanmin(epoch)) * length)
    return at


def _restarts_with(at: Values, epoch: Values) -> bool:
    """Whether the steps fall, at least half of the way back, wherever the whole-numbered epoch rises."""
    if not np.isfinite(epoch).all() or (epoch != np.round(epoch)).any():
        return False
    known = ~np.isnan(at)
    at, epoch = at[known], epoch[known]
    rises = np.flatnonzero(epoch[1:] > epoch[:-1])
    if not len(rises):
        return False
    half = np.nanmin(at) + (np.nanmax(at) - np.nanmin(at)) / 2
    back = (at[rises + 1] < at[rises]) & (at[rises + 1] <= half)
    return bool(back.mean() > MOSTLY)
