"""One run against the runs of its kind: is it one of them, and where does it differ most.

No distribution is assumed. The run joins the others; of each of them, the new one as well, it is asked how far it lies
from the rest at the place where it lies farthest. If the new run is one of its kind, it is the farthest of n + 1 with
a chance of 1 in n + 1 (conformal prediction, Vovk et al. 2005), however many places are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.errors import BadOption
from runopsy.facts.usual import Baseline, spread, strayed
from runopsy.model import JUDGED, Autopsy
from runopsy.rules.thresholds import Departure
from runopsy.standards import Standards
from runopsy.stats import Floats
from runopsy.study.library import Library
from runopsy.study.profiles import Profile, profile

FEWEST = 5  # runs: below, the library does not judge
SAME_LENGTH = 0.1  # of the steps: a planned length decides where a schedule puts things
FLOOR = 0.1  # of the range over all runs: one that alone differs, however little, lies ten standard deviations away


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a run, beside the same of its kind."""

    what: str  # "phase/memorization", "event/grokking", "best", "level/…", "noise/…", "course/…"
    value: float | None  # None: it has no such event or phase
    usual: float | None  # the median; None: most have none
    low: float | None  # the least and the largest of the others
    high: float | None
    far: float  # in standard deviations of the others
    runs: int  # of the kind, that have it


@dataclass(frozen=True, slots=True, eq=False)
class Kinship:
    """A run among those of its kind."""

    kind: str | None  # None: the log does not name it
    runs: int  # of the kind, of its axis and its length, that are not the run itself
    others: int  # of the kind, of another axis or length
    axis: str
    steps: float
    rank: int | None  # 1: no run of the kind lies as far from the rest; None: too few runs for an opinion
    differences: tuple[Difference, ...]  # where it lies farther from the others than any of them, the farthest first
    baselines: Mapping[str, Baseline]  # of each signal that all of them have; empty: not judged

    @property
    def unlike(self) -> bool | None:
        """Whether it differs from its kind more than any of them; None: not judged."""
        return None if self.rank is None else self.rank == 1

    @property
    def chance(self) -> float:
        """How often a run of the kind would be ranked so."""
        return 1.0 if self.rank is None else self.rank / (self.runs + 1)


def among(autopsy: Autopsy, library: Library, kind: str | None = None) -> Kinship:
    """A run against the library; ``kind`` where its log does not name it."""
    try:
        own = profile(autopsy, kind)
    except BadOption:  # no kind, or no length: nothing to hold it against
        own = None
    return kinship(own, [] if own is None else library.profiles(own.kind), axis=autopsy.axis)


def with_baselines(standards: Standards, found: Kinship) -> Standards:
    """The standards with the baselines of the kind in the classic rule, where the library has an opinion."""
    rules = tuple(replace(r, usual=found.baselines) if isinstance(r, Departure) else r for r in standards.rules)
    return replace(standards, rules=rules)


def kinship(own: Profile | None, kept: Sequence[Profile], *, axis: str = "step") -> Kinship:
    """A run against all that a library keeps; ``None`` for a run that does not name its kind."""
    if own is None:
        return Kinship(None, 0, 0, axis, 0.0, None, (), {})
    kind = [one for one in kept if one.kind == own.kind and one.digest != own.digest]
    pool = [one for one in kind if one.axis == own.axis and abs(one.steps / own.steps - 1) <= SAME_LENGTH]
    found = Kinship(own.kind, len(pool), len(kind) - len(pool), own.axis, own.steps, None, (), {})
    if len(pool) < FEWEST:
        return found
    everyone = [own, *pool]
    numbers, courses = _numbers(everyone), _courses(everyone)
    far = np.array([_farthest(numbers, courses, i) for i in range(len(everyone))])
    limit = float(far[1:].max())
    return replace(
        found,
        rank=int((far >= far[0]).sum()),
        differences=_differences(everyone, numbers, courses, limit) if far[0] > limit else (),
        baselines=_baselines(courses),
    )


# --- numbers: one per run, NaN where it has none -------------------------------------------------


def _numbers(everyone: Sequence[Profile]) -> dict[str, Floats]:
    """Name → (n + 1,) value per run; positions as logarithms, since delays differ by factors."""
    found: dict[str, Floats] = {}
    tables = [{**one.places, **one.levels} for one in everyone]
    for name in sorted(set().union(*tables)):
        values = np.array([table.get(name, np.nan) for table in tables])
        if name.startswith(("level/", "noise/")):  # of the others the course holds all
            if np.isfinite(values).all() and name.partition("/")[2] in JUDGED:
                found[name] = values
        elif not np.isfinite(values).all():
            found[f"has {name}"] = np.isfinite(values).astype(np.float64)
        else:
            found[name] = np.log(np.maximum(values, 1 / max(one.steps for one in everyone)))
    return found


def _courses(everyone: Sequence[Profile]) -> dict[str, Floats]:
    """Signal → (n + 1, PARTS) of those that all runs have."""
    shared = set.intersection(*(set(one.courses) for one in everyone))
    return {name: np.stack([one.courses[name] for one in everyone]) for name in sorted(shared)}


def _far(values: Floats, i: int) -> float:
    """How far the i-th lies from the others, in their standard deviations."""
    rest = np.delete(values, i)
    reach = np.ptp(values)
    if reach == 0:
        return 0.0
    return float(abs(values[i] - rest.mean()) / max(rest.std(ddof=1), FLOOR * reach))


def _strayed(levels: Floats, i: int) -> float:
    mean, sd = spread(list(np.delete(levels, i, axis=0)), _least(levels))
    return strayed(levels[i], mean, sd)[0]


def _least(levels: Floats) -> Floats:
    """The floor of the standard deviation, part by part; the same whoever is asked."""
    return np.asarray(FLOOR * np.ptp(levels, axis=0))


def _farthest(numbers: Mapping[str, Floats], courses: Mapping[str, Floats], i: int) -> float:
    return max([0.0, *(_far(v, i) for v in numbers.values()), *(_strayed(c, i) for c in courses.values())])


def _baselines(courses: Mapping[str, Floats]) -> dict[str, Baseline]:
    """What is usual of each signal, and the farthest that any run of the kind strays from the others in any."""
    count = len(next(iter(courses.values()), np.empty((1, 0))))
    limit = max((_strayed(levels, i) for levels in courses.values() for i in range(1, count)), default=0.0)
    return {name: Baseline(*spread(list(levels[1:]), _least(levels)), limit, count - 1)
            for name, levels in courses.items()}  # fmt: skip


# --- where it differs ----------------------------------------------------------------------------


def _differences(
    everyone: Sequence[Profile], numbers: Mapping[str, Floats], courses: Mapping[str, Floats], limit: float
) -> tuple[Difference, ...]:
    """All that lies beyond what any of the others does, the farthest first."""
    found = []
    for name, values in numbers.items():
        far = _far(values, 0)
        if far > limit:
            what = name.removeprefix("has ")
            tables = [{**one.places, **one.levels} for one in everyone]
            found.append(_difference(what, [table.get(what) for table in tables], far))
    for name, levels in courses.items():
        mean, sd = spread(list(levels[1:]), _least(levels))
        far, part = strayed(levels[0], mean, sd)
        if far > limit:
            found.append(_difference(f"course/{name}/{part}", [float(one[part]) for one in levels], far))
    return tuple(sorted(found, key=lambda one: -one.far))


def _difference(what: str, values: Sequence[float | None], far: float) -> Difference:
    others = [v for v in values[1:] if v is not None]
    usual = float(np.median(others)) if 2 * len(others) > len(values) - 1 else None
    low, high = (min(others), max(others)) if others else (None, None)
    return Difference(what, values[0], usual, low, high, far, len(others))
