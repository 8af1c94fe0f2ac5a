"""What ``--fail-on`` asks of a comparison: ``new:divergence``, ``later:grokking``, ``verdict``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runopsy.errors import BadOption
from runopsy.kinds import KINDS, MILESTONES
from runopsy.model import Change, Comparison
from runopsy.phases.labels import LABELS

PHASES = tuple(dict.fromkeys(word for word, _ in LABELS))
MOVES = ("later", "earlier")
PRESENCE = ("new", "lost")
VERDICT = "verdict"


class Gate(NamedTuple):
    word: str
    kind: str  # of an event, or a phase; empty for ``verdict``

    def __str__(self) -> str:
        return f"{self.word}:{self.kind}" if self.kind else self.word


def gates(text: str) -> list[Gate]:
    """The words of ``--fail-on``; a misspelt one would never fire, so it is refused.

    Raises:
        BadOption: a word that means nothing, with the list of those that do.
    """
    return [_gate(word.strip()) for word in text.split(",") if word.strip()]


def _gate(text: str) -> Gate:
    word, _, kind = text.partition(":")
    known = {VERDICT: ("",), **dict.fromkeys(PRESENCE, (*KINDS, *PHASES)), **dict.fromkeys(MOVES, _placed())}
    if word not in known:
        words = ", ".join([VERDICT, *(f"{w}:KIND" for w in (*PRESENCE, *MOVES))])
        raise BadOption(f"--fail-on: {text!r} means nothing", hint=f"words: {words}")
    if kind not in known[word] or (text != str(Gate(word, kind))):
        hint = f"{word}: " + ", ".join(known[word]) if known[word] != ("",) else f"{word} stands alone"
        raise BadOption(f"--fail-on: {text!r} means nothing", hint=hint)
    return Gate(word, kind)


def _placed() -> tuple[str, ...]:
    """What has one place in a run: only that can be later."""
    return (*MILESTONES, *PHASES)


def hits(c: Comparison, asked: Sequence[Gate]) -> list[str]:
    """Those that the comparison meets. Only a difference beyond noise is later or earlier."""
    return [str(gate) for gate in asked if _met(c, gate)]


def _met(c: Comparison, gate: Gate) -> bool:
    if gate.word == VERDICT:
        return set(c.verdicts[0]) != set(c.verdicts[1])
    if gate.word in PRESENCE:
        side = "b" if gate.word == "new" else "a"
        return any(e.what == gate.kind and e.side == side and e.sure for e in c.extras)
    sign = 1 if gate.word == "later" else -1
    real = [d for d in (*c.events, *c.phases) if d.kind != "lasts" and d.change is Change.REAL]
    return any(d.what == gate.kind and d.by is not None and sign * d.by > 0 for d in real)
