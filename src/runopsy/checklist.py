"""The checklist of the protocol: eight questions about how a run was watched, answered from the run where they can be.

What a log cannot show is answered "unknown": who has read it, what is done about it, what other runs there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runopsy.facts.curve import FEWEST_FIT
from runopsy.model import JUDGED, VALIDATED, Autopsy, Item, Reply
from runopsy.rules.curves import inside

YES, NO, UNKNOWN = Reply.YES, Reply.NO, Reply.UNKNOWN
# The signals that the protocol logs, by what their names begin with.
PROTOCOL: Mapping[str, tuple[str, ...]] = {
    "gradient noise scale": ("gns",),  # the critical batch follows from it
    "effective rank": ("features/effective_rank",),
    "gradient along the top eigenvector": ("hessian/grad_alignment",),
    "similarity of features": ("features/cka", "features/cca"),
    "entropy of activations": ("features/entropy",),
    "gradient norms by module": ("grad/norm/",),
    "gradient variance": ("grad/variance",),
}
# Settings that name a rule of stopping, or of lowering the rate; the last part of a dotted key counts.
ACTING = re.compile(r"patience|early_?stop|stop_on|stopping_rounds|plateau", re.IGNORECASE)
HELDOUT = ("eval/loss_heldout", "eval/acc_heldout")  # where the loop logs none
DEPTH = 5  # levels of settings that are looked into


@dataclass(frozen=True, slots=True)
class Kept:
    """What a library knows of the kind of a run."""

    kind: str | None  # None: the log does not name it
    runs: int  # that it holds of it, over about as many steps
    baselines: int  # signals whose usual course it knows; 0: too few runs for an opinion


def answered(autopsy: Autopsy, kept: Kept | None = None) -> tuple[Item, ...]:
    """The eight questions, in the order of the protocol.

    Args:
        autopsy: of the run.
        kept: what the library that was named knows of its kind; None: none was named.

    Examples:
        >>> [item.reply.value for item in answered(runopsy.analyze("sample_logs/grokking"))][:3]
        ['yes', 'yes', 'yes']
    """
    return (
        _logged(autopsy),
        _baselines(autopsy, kept),
        _smoothed(autopsy),
        _acted(autopsy),
        _validated(autopsy),
        _documented(kept),
        Item("logs reviewed", UNKNOWN, "A log does not show who has read it",
             "runopsy report RUN -o page.html is a page to discuss, runopsy diff A B the change since the last run"),
        Item("budget for experiments", UNKNOWN, "One log shows one run",
             "runopsy sweep RUNS shows what a grid of small runs found"),
    )  # fmt: skip


def _logged(autopsy: Autopsy) -> Item:
    there = [what for what, names in PROTOCOL.items() if any(name.startswith(names) for name in autopsy.signals)]
    left = [what for what in PROTOCOL if what not in there]
    count = (
        f"Of {len(PROTOCOL)} signals of the protocol {len(there) or 'none'} {'are' if len(there) > 1 else 'is'} logged"
    )
    question = "signals logged"
    if not there:
        do = 'runopsy.record(…, model=model, loss_fn=loss_fn, probe=batch, signals="full") measures them'
        return Item(question, NO, count, do)
    if not left:
        return Item(question, YES, count)
    return Item(question, YES, f"{count}, not: {', '.join(left)}", 'signals="full" in record() adds what is missing')


def _baselines(autopsy: Autopsy, kept: Kept | None) -> Item:
    """Whether mean and noise are known of the signals where the run began, or of other runs of its kind."""
    question = "baselines known"
    if kept is not None and kept.baselines:
        return Item(
            question, YES, f"The library holds the usual course of {kept.baselines} signals in {kept.runs} runs"
        )
    recorded, first = inside(autopsy.signals), autopsy.phases[:1]
    known = {level.signal for level in autopsy.levels if level.phase == 0}
    if known:
        where = f"the first phase, up to {autopsy.axis} {first[0].end:,.12g}"
        return Item(question, YES, f"Mean and standard error of {len(known)} signals are known in {where}")
    do = "record more readings early (every=, budget=), or compare it with a library: runopsy library add RUNS"
    if not recorded:
        return Item(question, NO, "No internal signal of the model is recorded", do)
    return Item(question, NO, f"None of {len(recorded)} recorded signals has readings enough in the first phase", do)


def _smoothed(autopsy: Autopsy) -> Item:
    """Whether the curves have rows enough for a fit that no single row decides."""
    question = "smoothing in place"
    rows = {name: len(autopsy.signals[name]) for name in JUDGED if name in autopsy.signals}
    few = {name: count for name, count in rows.items() if count < FEWEST_FIT}
    if not rows:
        return Item(question, UNKNOWN, "The log holds no loss or accuracy", "log one of them")
    if few:
        do = f"log at least {FEWEST_FIT} rows of each"
        return Item(question, NO, f"Too few rows to separate a curve from its noise: {_counted(few)}", do)
    text = f"Each curve is judged by a fit, not by single rows ({_counted(rows)}); a log does not show your own alerts"
    return Item(question, YES, text)


def _acted(autopsy: Autopsy) -> Item:
    question = "a rule for acting"
    rules = [f"{key} = {value}" for key, value in _settings(autopsy.run.config, DEPTH) if _names_a_rule(key, value)]
    if rules:
        return Item(question, YES, f"The settings have {', '.join(rules[:3])}")
    do = "runopsy watch RUN --notify URL alerts, stop_on= of a callback stops, runopsy backtest RUNS compares rules"
    return Item(question, UNKNOWN, "No setting in the log names one", do)


def _settings(config: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and depth:
            yield from _settings(value, depth - 1)
        else:
            yield str(key), value


def _names_a_rule(key: str, value: Any) -> bool:
    named = ACTING.search(key) or (isinstance(value, str) and len(value) < 60 and ACTING.search(value))
    return bool(named) and value not in (None, False, 0, "", "None", "False", "0")


def _validated(autopsy: Autopsy) -> Item:
    """Whether validation stands beside training, and how many transitions a second curve confirms."""
    question = "checked by validation"
    rows = {name: len(autopsy.signals[name]) for name in VALIDATED if name in autopsy.signals}
    rows = rows or {name: len(autopsy.signals[name]) for name in HELDOUT if name in autopsy.signals}
    enough = {name: count for name, count in rows.items() if count >= FEWEST_FIT}
    do = "validate more often, and log it as val/loss or val/acc"
    if not enough:
        text = f"Too few rows of validation: {_counted(rows)}" if rows else "No validation is logged"
        return Item(question, NO, text, do)
    turns = autopsy.transitions
    alone = sum(not turn.confirmed for turn in turns)
    text = f"Logged: {_counted(enough)}"
    if turns:
        text += f"; a second curve confirms {len(turns) - alone} of {len(turns)} transitions"
    return Item(question, YES, text, "look at those that one curve alone shows: -v lists them" if alone else "")


def _documented(kept: Kept | None) -> Item:
    question = "patterns by architecture"
    do = "runopsy library add RUNS, then --library FILE"
    if kept is None:
        return Item(question, UNKNOWN, "No library of runs was named", do)
    if kept.kind is None:
        return Item(question, UNKNOWN, "The log does not name its architecture and its data",
                    '--kind "ARCHITECTURE on DATA"')  # fmt: skip
    held = f"The library holds {kept.runs} other runs of {kept.kind}"
    return (
        Item(question, YES, held)
        if kept.baselines
        else Item(question, NO, f"{held}, too few to compare a run with", do)
    )


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,} rows" for name, count in rows.items())
