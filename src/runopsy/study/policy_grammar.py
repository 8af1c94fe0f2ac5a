"""Policies as sentences: ``when val/loss has not improved for 20 evals: stop``. Read word by word, never run as code.

``FORMS`` is the whole grammar: a slot in braces takes one word, what stands in square brackets may be left out. The
signal ``validation`` is whichever curve judges the log; a name with blanks or colons stands in double quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from runopsy.errors import BadOption
from runopsy.study.policies import (
    STOP,
    Budget,
    Condition,
    Crosses,
    GeneralizationLoss,
    Memorization,
    NoiseFalls,
    Patience,
    Policy,
    ProgressQuotient,
    Rises,
)
from runopsy.study.set_policies import Asha, Hyperband, MedianStopping, SetPolicy, SuccessiveHalving

Slots: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of sentence, and what it means."""

    template: str
    build: Callable[[Slots], Condition | SetPolicy]


CONDITIONS: tuple[Form, ...] = (
    Form(
        "when {signal} has not improved for {evals:count} evals [by {delta:number}] [after {warm_up:count} evals]",
        lambda s: Patience(s["evals"], s.get("delta", 0.0), s.get("warm_up", 0), s["signal"]),
    ),
    Form(
        "when {signal} is {percent:number} % above its lowest",
        lambda s: GeneralizationLoss(s["percent"], s["signal"]),
    ),
    Form(
        "when {signal} is {quotient:number} times its progress over {strip:count} evals above its lowest",
        lambda s: ProgressQuotient(s["quotient"], s["strip"], s["signal"]),
    ),
    Form(
        "when {signal} has risen over {strips:count} strips of {strip:count} evals",
        lambda s: Rises(s["strips"], s["strip"], s["signal"]),
    ),
    Form("when memorization begins", lambda s: Memorization()),
    Form(
        "when memorization has lasted {times:number} times as long as it took to begin",
        lambda s: Memorization(s["times"]),
    ),
    Form(
        "when the noise scale falls below {percent:number} % of its highest",
        lambda s: NoiseFalls(s["percent"]),
    ),
    Form("when {signal} < {number:number}", lambda s: Crosses(s["signal"], below=True, number=s["number"])),
    Form("when {signal} > {number:number}", lambda s: Crosses(s["signal"], below=False, number=s["number"])),
    Form("after {percent:number} % of the run", lambda s: Budget(percent=s["percent"])),
    Form("after {steps:number} steps", lambda s: Budget(steps=s["steps"])),
)
OVER_SETS: tuple[Form, ...] = (
    Form(
        "median stopping [after {runs:count} runs] [from step {least:number}]",
        lambda s: MedianStopping(s.get("runs", 5), s.get("least", 0.0)),
    ),
    Form(
        "successive halving [by {factor:count}] [from step {least:number}]",
        lambda s: SuccessiveHalving(s.get("factor", 3), s.get("least")),
    ),
    Form("asha [by {factor:count}] [from step {least:number}]", lambda s: Asha(s.get("factor", 3), s.get("least"))),
    Form(
        "hyperband [by {factor:count}] [from step {least:number}]",
        lambda s: Hyperband(s.get("factor", 3), s.get("least")),
    ),
)
ACTIONS = (STOP, "halve lr", "double lr", "halve batch_size", "double batch_size")

PLURALS = ("evals", "runs", "strips", "steps", "times")  # of one, people write the singular

WORD = re.compile(r'"[^"]*"|%|[:<>]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?=\s|[:%<>]|$)|[^\s:%<>"]+')
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")


def parse(sentence: str) -> Policy | SetPolicy:
    """The policy that a sentence describes.

    >>> str(parse("when val/loss has not improved for 20 evals: stop"))
    'when val/loss has not improved for 20 evals: stop'

    Raises:
        BadOption: it is no sentence of the grammar; the message names the word at which reading ended.
    """
    words = WORD.findall(sentence)
    if words[:1] not in (["when"], ["after"]):
        over_set: SetPolicy = _read(words, (*OVER_SETS, *CONDITIONS), sentence)
        return over_set
    if ":" not in words:
        raise _refused(sentence, "names no action", f"end it with one of: {_acts()}")
    at = words.index(":")
    action = " ".join(words[at + 1 :])
    condition = _read(words[:at], CONDITIONS, sentence)
    if action not in ACTIONS:
        raise _refused(sentence, f"ends in {action!r}, which is no action", f"end it with one of: {_acts()}")
    return Policy(condition, action)


def shape(template: str) -> str:
    """A form as a user writes it: SIGNAL, a whole number N, a number X."""
    return SLOT.sub(lambda slot: {"count": "N", "number": "X"}.get(slot[2], "SIGNAL"), template)


def _acts() -> str:
    return ", ".join(f"': {action}'" for action in ACTIONS)


def _read(words: Sequence[str], forms: Sequence[Form], sentence: str) -> Any:
    """What the form that fits makes of the words; of those that fail, the one that came furthest names the reason."""
    failures = []
    for form in forms:
        fit = _fit(_template(form.template), words)
        if isinstance(fit, dict):
            return form.build(fit)
        failures.append((fit.at, fit.expected, form.template))
    furthest = max(at for at, _, _ in failures)
    expected = list(dict.fromkeys(what for at, what, _ in failures if at == furthest))
    found = repr(words[furthest].strip('"')) if furthest < len(words) else "the end"
    before = f" after {' '.join(words[:furthest])!r}" if furthest else ""
    near = [shape(template) for at, _, template in failures if at == furthest or not furthest]
    hint = f"it would read: {' or '.join(near)}" if furthest else f"policies: {'; '.join(near)}"
    raise _refused(sentence, f"has {found}{before}, where {' or '.join(expected)} is expected", hint)


def _refused(sentence: str, what: str, hint: str) -> BadOption:
    return BadOption(f"the policy {sentence!r} {what}", hint=hint)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Where a sentence left a form, and what the form has there."""

    at: int
    expected: str


_Part: TypeAlias = "str | tuple[str, ...]"  # a word or a slot; a tuple of them that may be left out


def _template(text: str) -> list[_Part]:
    parts: list[_Part] = []
    for optional, plain in re.findall(r"\[([^\]]+)\]|([^\s\[\]]+)", text):
        parts.append(tuple(optional.split()) if optional else plain)
    return parts


def _fit(parts: Sequence[_Part], words: Sequence[str]) -> dict[str, Any] | _Failure:
    """The slots of a template that the words fill, or where they leave it."""
    slots: dict[str, Any] = {}
    at = 0
    for part in parts:
        if isinstance(part, tuple):
            if at >= len(words) or words[at] != part[0]:
                continue
            group: tuple[str, ...] = part
        else:
            group = (part,)
        for one in group:
            failure = _fill(one, words[at] if at < len(words) else "", slots)
            if failure:
                return _Failure(at, failure)
            at += 1
    return slots if at == len(words) else _Failure(at, "nothing more")


def _fill(part: str, word: str, slots: dict[str, Any]) -> str:
    """Takes one word for one part of a template; what was expected where it does not fit, else ''."""
    slot = SLOT.fullmatch(part)
    if slot is None:
        return "" if word == part or (part in PLURALS and word == part[:-1]) else repr(part)
    name, kind = slot[1], slot[2] or "signal"
    if kind == "signal":
        slots[name] = word.strip('"')
        return "" if word not in ("", ":", "<", ">", "%") else "the name of a signal"
    number = _number(word)
    if number is None or (kind == "count" and (number != int(number) or number < 0)):
        return "a whole number" if kind == "count" else "a number"
    slots[name] = int(number) if kind == "count" else number
    return ""


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
