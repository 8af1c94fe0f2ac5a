"""Which runs to show: a condition such as ``lr > 1e-3 and verdict = 'grokked'``, read by a grammar and never run.

::

    any        = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" any ")" | comparison
    comparison = name ( "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" ) value
    name       = a word with dots and slashes, or anything in `backticks`
    value      = a number, a 'text', or a word

``~`` asks whether a text contains another. A run that lacks the name fulfils no comparison but ``!=``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from runopsy.errors import BadOption

Line: TypeAlias = Mapping[str, Any]  # name → value of one run
Condition: TypeAlias = Callable[[Line], bool]

TOKEN = re.compile(
    r"\s*(?:(?P<op><=|>=|==|!=|<|>|=|~)|(?P<paren>[()])|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|`(?P<name>[^`]*)`"
    r"|(?P<word>[^\s()<>=!~'\"`]+))"
)
COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "~": lambda a, b: str(b).lower() in str(a).lower(),
}
ORDERS = ("<", "<=", ">", ">=")
DEEPEST = 50  # brackets and nots within each other: nobody writes more, and Python's own stack has an end
EXAMPLE = "for example --where \"lr > 1e-3 and verdict = 'grokked'\""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # "op", "paren", "text", "name" or "word"
    text: str


def parse(text: str, names: Mapping[str, str]) -> Condition:
    """The condition that a text states.

    Args:
        text: of the user.
        names: the names that may be compared: as they are written, and the key of a line that each means.

    Raises:
        BadOption: it is no condition, or compares a name that no run has.
    """
    reader = _Reader(_tokens(text), text, names)
    condition = reader.any(0)
    if reader.rest:
        raise reader.wrong(f"{reader.rest[0].text!r} is left over")
    return condition


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = TOKEN.match(stripped, at)
        if match is None:
            raise BadOption(f"--where {text!r}: {stripped[at:].strip()[:20]!r} cannot be read", hint=EXAMPLE)
        kind = str(match.lastgroup)
        found.append(Token("text" if kind in ("single", "double") else kind, match[kind]))
        at = match.end()
    return found


@dataclass(slots=True)
class _Reader:
    """What is left to be read of a condition."""

    rest: list[Token]
    text: str
    names: Mapping[str, str]

    def wrong(self, what: str) -> BadOption:
        return BadOption(f"--where {self.text!r}: {what}", hint=EXAMPLE)

    def any(self, depth: int) -> Condition:
        parts = [self.all(depth)]
        while self._takes("or"):
            parts.append(self.all(depth))
        return parts[0] if len(parts) == 1 else lambda line: any(part(line) for part in parts)

    def all(self, depth: int) -> Condition:
        parts = [self.one(depth)]
        while self._takes("and"):
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else lambda line: all(part(line) for part in parts)

    def one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise self.wrong("it is nested too deeply")
        if self._takes("not"):
            inner = self.one(depth + 1)
            return lambda line: not inner(line)
        if self._takes("("):
            inside = self.any(depth + 1)
            if not self._takes(")"):
                raise self.wrong("a bracket is not closed")
            return inside
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._next("a name", ("word", "name"))
        sign = self._next("=, !=, <, <=, >, >= or ~", ("op",))
        value = self._next("a value", ("word", "text"))
        key = self.names.get(name.text)
        if key is None:
            known = ", ".join(list(self.names)[:40])
            raise BadOption(f"--where {self.text!r}: no run has {name.text!r}", hint=f"they have {known}")
        wanted = _value(value)
        compare = COMPARE[sign.text]
        return lambda line: _compared(compare, line.get(key), wanted, sign.text)

    def _next(self, what: str, kinds: tuple[str, ...]) -> Token:
        if not self.rest:
            raise self.wrong(f"{what} is missing at the end")
        if self.rest[0].kind not in kinds:
            raise self.wrong(f"{what} is expected before {self.rest[0].text!r}")
        return self.rest.pop(0)

    def _takes(self, word: str) -> bool:
        there = bool(self.rest) and self.rest[0].kind in ("word", "paren") and self.rest[0].text.lower() == word
        if there:
            self.rest.pop(0)
        return there


def _value(token: Token) -> Any:
    if token.kind == "text":
        return token.text
    for kind in (int, float):
        try:
            return kind(token.text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(token.text.lower(), token.text)


def _compared(compare: Callable[[Any, Any], Any], held: Any, wanted: Any, sign: str) -> bool:
    """Numbers as numbers and words as words; a word is not before or after a number, and nothing is like nothing."""
    if held is None:
        return sign == "!="
    numbers = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in (held, wanted)]
    if not all(numbers):
        if any(numbers) and sign in ORDERS:
            return False
        held, wanted = str(held).lower(), str(wanted).lower()
    return bool(compare(held, wanted))
