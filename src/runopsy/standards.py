"""Everything a run is judged by, the rules and the thresholds; and how a user changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from runopsy.errors import BadOption
from runopsy.facts.case import Rule
from runopsy.rules import RULES
from runopsy.thresholds import BY_NAME, DEFAULTS, THRESHOLDS, Limits, Threshold

OF_ONE_SIGNAL = ("B01", "B02")  # the rules that are asked of one signal after another


@dataclass(frozen=True, kw_only=True, slots=True)
class Standards:
    """Everything a run is judged by."""

    rules: tuple[Rule, ...] = RULES
    limits: Limits = DEFAULTS


def values(limits: Limits) -> dict[str, float]:
    """Name → value of every threshold; those of a single signal as ``name [signal]``."""
    named = {one.name: getattr(limits, one.name) for one in THRESHOLDS}
    own = {f"{name} [{signal}]": value for signal, special in limits.own.items() for name, value in special.items()}
    return named | own


def tuned(standards: Standards, given: Mapping[str, Any]) -> Standards:
    """The standards with some thresholds replaced.

    Args:
        standards: to start from.
        given: threshold → value, or signal → threshold → value.

    Raises:
        BadOption: there is no such threshold, or the value is no number or outside the domain.
    """
    own: dict[str, Mapping[str, float]] = dict(standards.limits.own)
    plain: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            own[name] = {**own.get(name, {}), **dict(_of_signal(name, value, standards))}
        else:
            plain[name] = _checked(name, value)
    return replace(standards, limits=replace(standards.limits, own=own, **plain))


def _of_signal(signal: str, given: Mapping[str, Any], standards: Standards) -> Iterator[tuple[str, float]]:
    if signal in BY_NAME:
        raise BadOption(f"threshold {signal} is one number", hint=f"write {signal} = {BY_NAME[signal].value:g}")
    read = sorted({name for rule in standards.rules if rule.code in OF_ONE_SIGNAL for name in rule.uses})
    for name, value in given.items():
        checked = _checked(name, value)
        if name not in read:
            raise BadOption(f"threshold {name} is not asked of single signals", hint=f"those are: {', '.join(read)}")
        yield name, checked


def _checked(name: str, value: Any) -> float:
    one = BY_NAME.get(name)
    if one is None:
        raise unknown(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadOption(
            f"threshold {name} = {value!r} is no number", hint=f"{_domain(one)}; the default is {one.value:g}"
        )
    if not one.low <= value <= one.high:
        raise BadOption(
            f"threshold {name} = {value!r} is outside its domain", hint=f"{_domain(one)}; the default is {one.value:g}"
        )
    if isinstance(one.value, int) and value != int(value):
        raise BadOption(f"threshold {name} = {value!r} is no whole number", hint=f"the default is {one.value}")
    return int(value) if isinstance(one.value, int) else float(value)


def _domain(one: Threshold) -> str:
    return f"it goes from {one.low:g} to {one.high:g} ({one.unit})"


def old_threshold(name: str) -> list[str]:
    """What a threshold of version 0.1 is called now; several where one name stood for several ideas."""
    return sorted({now for names in RENAMED.values() for old, now in names.items() if old == name and now})


def unknown(name: str) -> BadOption:
    """The refusal of a name that no threshold has."""
    new = old_threshold(name)
    if new:
        return BadOption(f"there is no threshold {name!r} any more: it is now {' or '.join(new)}",
                         hint=f"runopsy explain {new[0]}")  # fmt: skip
    near = get_close_matches(name, BY_NAME, n=1)
    return BadOption(
        f"there is no threshold {name!r}",
        hint=f"did you mean {near[0]}?" if near else "runopsy explain thresholds lists them",
    )


def refuse_old(rules: Mapping[str, Any]) -> None:
    """Thresholds were once set by rule, as ``[rules.G01] late_gain``.

    Raises:
        BadOption: one is, and what it is called now.
    """
    for code, table in rules.items():
        names = RENAMED.get(code)
        if names is None:
            raise BadOption(
                f"[rules.{code}] means nothing: there is no rule {code!r}", hint="write thresholds under [thresholds]"
            )
        for name in table if isinstance(table, Mapping) else ():
            new = names.get(name)
            change = f"it is now [thresholds] {new}" if new else "that is no threshold any more"
            raise BadOption(f"[rules.{code}] {name} is of an older version: {change}",
                            hint="write it there, or take it out")  # fmt: skip
        raise BadOption(f"[rules.{code}] is of an older version", hint="write thresholds under [thresholds]")


# Rule → its thresholds of older versions → the one that means the same today; "" where none does.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "P01": {"window": "beside", "loss_moves": "slight", "acc_moves": "visible_accuracy", "hold": "hold",
            "noise": "likely", "started": "visible_loss", "mostly_done": "hold", "near_best": "real_change",
            "risen": "jump", "visible": "improving", "learnt": "real_change", "gap": "visible_loss", "pace": "part",
            "carries": "real_change", "shortest": "shortest", "shortest_of_run": "improving",
            "fewest_readings": "few_rows"},
    "G01": {"late_gain": "late_gain", "from_below": "late_from", "delay": "late_delay", "whole": "fits_at_end",
            "kept": "half_way"},
    "D01": {"prominence": "peak", "of_accuracy": "visible_accuracy", "flank": "abrupt", "beside": "beside"},
    "M01": {"rise": "visible_loss", "visible": "visible_loss", "follows": "real_change", "early": "gap", "gap": "gap",
            "share": "part", "about": "real_change"},
    "B03": {"share": "last_part", "blocks": "", "readings": "readings", "z": ""},
    "H01": {"share": "sharpness", "readings": "few_rows", "targets": "sample"},
    "C01": {"half": "half_way", "rows": "few_rows"},
    "G02": {"share": "half_way", "monotone": "most", "ahead": "beside"},
    "G03": {"follows": "half_way", "already": "most", "lost": "real_change"},
    "L01": {"ratio": "jump", "steady": "most"},
    "L02": {"ratio": "jump", "steady": "most"},
    "L03": {"epochs": "few_rows", "share": "last_part", "rows": "level_rows", "fall": "slight",
            "sure": "sure_of_many"},
    "V01": {"had_learnt": "part", "lost": "lost", "above": "far_above", "lasting": "level_rows"},
    "S01": {"scatter": "outlier", "ratio": "spike_ratio", "share": "improving", "alone": "far_above",
            "trace": "sure_of_many", "back": "likely", "longest": "tail"},
    "T01": {"sure": "sure", "surer": "outlier", "slower": "most", "fall": "jump", "abrupt": "abrupt",
            "beside": "beside"},
    "Q01": {"still": "real_change"},
    "Q02": {"above": "far_above", "fits": "fell_far", "early": "tail"},
    "Q03": {"classes": "text_start", "low": "slight"},
    "Q04": {"shared": "level_rows"},
    "B01": {"baseline": "tail", "sigmas": "sure", "average": "window_rows", "run": "fewest_rows",
            "fewest": "readings"},
    "B02": {"block": "window_rows", "blocks": "", "side": "readings", "sigmas": "outlier", "run": "", "share": "gap",
            "at_once": "most", "near": "beside"},
    "W01": {"fewest": "fewest_rows", "fits": "fits_at_end", "far": "half_way", "worse": "visible_loss",
            "acc_worse": "visible_accuracy", "learnt": "real_change", "left": "left_chance", "wide": "gap",
            "rising": "improving"},
}  # fmt: skip
