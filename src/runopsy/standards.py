"""Everything a run is judged by: rules, what makes a phase, what makes a verdict; and how to change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from runopsy import phases
from runopsy.errors import BadOption
from runopsy.facts.case import Rule
from runopsy.model import Thresholds
from runopsy.rules import RULES
from runopsy.thresholds import DEFAULTS, Limits

T = TypeVar("T", bound=Thresholds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standards:
    """Everything a run is judged by."""

    rules: tuple[Rule, ...] = RULES
    phases: phases.Criteria = field(default_factory=phases.Criteria)
    limits: Limits = DEFAULTS

    def __iter__(self) -> Iterator[Thresholds]:
        return iter((*self.rules, self.phases, self.limits))


def values(thresholds: Thresholds) -> dict[str, Any]:
    """Name → value of one rule's or one set of criteria's thresholds; those of a single signal as ``name [signal]``."""
    named = {field.name: getattr(thresholds, field.name) for field in fields(thresholds)}  # type: ignore[arg-type]  # every one of them is a dataclass
    own = named.pop("own", {})
    return named | {f"{name} [{signal}]": value for signal, said in own.items() for name, value in said.items()}


def tuned(standards: Standards, overrides: Mapping[str, Mapping[str, Any]]) -> Standards:
    """The standards with some thresholds replaced: code → threshold → value.

    Raises:
        BadOption: a code, a threshold or a value that does not fit.
    """
    known = [one.code for one in standards]
    for code in overrides:
        if code not in known:
            raise BadOption(f"there is no rule {code!r}", hint=f"rules: {', '.join(known)}")

    def own(one: T) -> T:
        return _replaced(one, overrides.get(one.code, {}))

    return Standards(
        rules=tuple(own(rule) for rule in standards.rules), phases=own(standards.phases), limits=own(standards.limits)
    )


def _replaced(one: T, said: Mapping[str, Any]) -> T:
    thresholds = values(one)
    own = dict(getattr(one, "own", {}))
    for name, value in said.items():
        if isinstance(value, Mapping) and hasattr(one, "own"):  # of one signal: [rules.B02."grad/norm"]
            _replaced(one, value)  # refuses what does not fit
            own[name] = {**own.get(name, {}), **value}
            continue
        if name not in thresholds:
            raise BadOption(
                f"rule {one.code} has no threshold {name!r}", hint=f"it has {', '.join(thresholds) or 'none'}"
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadOption(
                f"rule {one.code}: {name} = {value!r} is no number", hint=f"the default is {thresholds[name]}"
            )
    plain = {name: value for name, value in said.items() if name not in own}
    return replace(one, **plain, **({"own": own} if own else {}))  # type: ignore[type-var]  # every one of them is a dataclass
