"""Examples → WatchedExamples: how each group was learnt, how wide that is, and whose label is doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from runopsy.examples.suspects import doubts
from runopsy.examples.widths import FEWEST, LEARNT, compare, decades, width
from runopsy.model import Examples, LearntGroup, Position, WatchedExamples, WidthTest
from runopsy.stats import Floats

NAMES: Mapping[str, str] = {"probe": "training", "heldout": "held-out", "canaries": "canaries"}
MOST_GROUPS = 12  # given groups that are shown: the largest


def watched_examples(examples: Mapping[str, Examples]) -> WatchedExamples | None:
    """What the watched batches of a run show; None where there are none.

    Args:
        examples: by side, as ``Run.examples`` has them.
    """
    if not examples:
        return None
    start = _start(examples.values())
    members = groups_of(examples)
    widths = tuple(_compared({NAMES[side]: learnt_in(*members[NAMES[side]], start) for side in examples}))
    named, why, suspects = doubts(examples.get("probe"))
    return WatchedExamples(
        tuple(_learnt_group(n, e, mask, start) for n, (e, mask) in members.items()), widths, suspects, named, why
    )


def groups_of(
    examples: Mapping[str, Examples], most: int = MOST_GROUPS
) -> dict[str, tuple[Examples, NDArray[np.bool_]]]:
    """Each watched batch, then the largest ``most`` of the given groups: name → the batch, and which of it are in."""
    whole = {NAMES[side]: (one, np.ones(len(one), dtype=bool)) for side, one in examples.items()}
    return whole | given_groups(examples.get("probe"), most)


def given_groups(probe: Examples | None, most: int) -> dict[str, tuple[Examples, NDArray[np.bool_]]]:
    """The largest of the groups that ``record(groups=)`` named, with which examples are in each."""
    if probe is None or not probe.group:
        return {}
    of = np.array(probe.group, dtype=object)
    largest = {name for name, _ in Counter(probe.group).most_common(most)}
    return {f"group {name}": (probe, of == name) for name in sorted(largest, key=_by_number)}


def _by_number(name: str) -> tuple[float, str]:
    return (float(name), "") if name.isdecimal() else (np.inf, name)


def _start(watched: Iterable[Examples]) -> Position:
    """The step of the first reading."""
    steps = [float(one.turns.step.min()) for one in watched if one.turns is not None and len(one.turns.step)]
    return min(steps, default=0.0)


def learnt_in(examples: Examples, mask: NDArray[np.bool_], start: Position) -> tuple[Floats, str]:
    """The difficulties of a group, in decades, and why its width cannot be given, if it cannot."""
    steps = examples.learnt[mask]
    known = steps[np.isfinite(steps)]
    if len(steps) < FEWEST:
        return decades(known, start), f"{len(steps)} examples, fewer than {FEWEST}"
    if len(known) < LEARNT * len(steps):
        return decades(known, start), f"{len(steps) - len(known)} of {len(steps)} were not learnt by the end"
    return decades(known, start), ""


def _learnt_group(name: str, examples: Examples, mask: NDArray[np.bool_], start: Position) -> LearntGroup:
    difficulty, why = learnt_in(examples, mask, start)
    steps = np.where(np.isfinite(examples.learnt[mask]), examples.learnt[mask], np.inf)
    forgotten = examples.forgotten[mask] > 0
    quartiles = np.quantile(steps, (0.25, 0.5, 0.75), method="inverted_cdf").tolist() if len(steps) else None
    return LearntGroup(
        name,
        examples=len(steps),
        never=int(np.isnan(examples.first[mask]).sum()),
        wrong=int(np.isinf(steps).sum()),
        forgotten=int(forgotten.sum()),
        relearnt=int((forgotten & np.isfinite(steps)).sum()),
        quartiles=None if quartiles is None else (quartiles[0], quartiles[1], quartiles[2]),
        width=None if why else width(difficulty),
        why=why,
    )


def _compared(groups: Mapping[str, tuple[Floats, str]]) -> Iterator[WidthTest]:
    """Training against each of the others."""
    if "training" not in groups or groups["training"][1]:
        return
    for name, (values, why) in groups.items():
        if name != "training" and not why:
            test = compare("training", groups["training"][0], name, values)
            if test is not None:
                yield test
