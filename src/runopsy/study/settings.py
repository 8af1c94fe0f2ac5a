"""What was set differently, and which runs differ by their seed alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runopsy.comparison.configs import MISSING, NOISE, SEED
from runopsy.study.row import Row

FEW = 4  # values of a setting up to which they are distinguished by their names alone


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that differs between runs."""

    name: str
    values: tuple[Any, ...]  # per run; MISSING where it is not set
    also: tuple[str, ...] = ()  # settings that change exactly where this one does: their effects are one

    @property
    def numbers(self) -> bool:
        """Whether all values are numbers."""
        return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.values)

    @property
    def levels(self) -> tuple[Any, ...]:
        """Its values, each once: numbers in order, words by the alphabet."""
        distinct = {spelled(value): value for value in self.values}
        if self.numbers:
            return tuple(sorted(distinct.values()))
        return tuple(value for _, value in sorted(distinct.items()))


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs between the runs of a study."""

    settings: tuple[Setting, ...]
    seeds: tuple[str, ...]  # keys that only choose random numbers
    left_out: tuple[str, ...]  # keys that differ and only name a run, a place or a time


def spelled(value: Any) -> str:
    """A value as text, so that 1 and 1.0 are one."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value))
    return json.dumps(value, sort_keys=True, default=str)


def shown(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def differences(rows: Sequence[Row]) -> Differences:
    """The settings that differ; those that always change together are one."""
    keys = dict.fromkeys(key for row in rows for key in row.settings)
    settings: list[Setting] = []
    seeds, left_out = [], []
    for key in keys:
        values = tuple(row.settings.get(key, MISSING) for row in rows)
        if len({spelled(value) for value in values}) < 2:
            continue
        if SEED.search(key):
            seeds.append(key)
        elif NOISE.search(key) or _only_names(values):
            left_out.append(key)
        else:
            settings.append(Setting(key, values))
    return Differences(_merged(settings), tuple(seeds), tuple(left_out))


def configurations(rows: Sequence[Row], found: Differences) -> tuple[tuple[int, ...], ...]:
    """The runs that agree in everything but their seeds, as places in ``rows``, in the order of the first of each."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place in range(len(rows)):
        groups.setdefault(tuple(spelled(s.values[place]) for s in found.settings), []).append(place)
    return tuple(tuple(group) for group in groups.values())


def _only_names(values: Sequence[Any]) -> bool:
    """Whether each run has a word of its own there, as a name has."""
    words = [value for value in values if isinstance(value, str) and value != MISSING]
    return len(words) == len(values) > 2 and len(set(words)) == len(words)


def _merged(settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """Settings that divide the runs in the same way as one."""
    alike: dict[tuple[int, ...], list[Setting]] = {}
    for setting in settings:
        alike.setdefault(_division(setting), []).append(setting)
    return tuple(
        Setting(group[0].name, group[0].values, tuple(other.name for other in group[1:])) for group in alike.values()
    )


def _division(setting: Setting) -> tuple[int, ...]:
    """How a setting divides the runs: a number for each value, as they come; of many numbers their order counts too.

    In a random search every run has numbers of its own in all settings, and only their orders differ.
    """
    levels = {spelled(value): k for k, value in enumerate(setting.levels)}
    if setting.numbers and len(levels) > FEW:
        rank = tuple(levels[spelled(value)] for value in setting.values)
        return min(rank, tuple(len(levels) - 1 - k for k in rank))  # up or down is one order
    numbered: dict[str, int] = {}
    return tuple(numbered.setdefault(spelled(value), len(numbered)) for value in setting.values)
