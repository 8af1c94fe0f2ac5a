"""The unit of an accuracy: a share or percent; and accuracies that are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runopsy.errors import BadOption
from runopsy.model import Role, Track
from runopsy.signals.names import is_percent
from runopsy.signals.placeholders import placeholders
from runopsy.stats import median

ERRORS = {"train/error": "train/acc", "val/error": "val/acc"}  # of --map alone: a column that is 1 - the role
A_CURVE = 3  # values; fewer are a summary at the end of the log, and give way to a curve
PERCENT_FROM = 1.5  # an accuracy above it is in percent
A_SHARE = (
    1.02  # the most that a mean a little over 1 reaches; between the two, it may be percent at chance of 100 classes
)
PERCENT_TO = 100.5
ERROR_FROM = 0.4  # an error rate starts near 1 - chance: at 0.5 for two classes, and it may have fallen a little
ROSE = 1.5  # x where it began: an error rate seldom rises above that, an accuracy that learns does
FALLEN = 0.5  # of its start, at the end: an accuracy that lost so much while the loss fell by half is none
SAME_UNIT = 10.0  # × between the first values of two accuracies: nearer, and both are in percent, where one is
NOTHING_HIT = 0.02  # an accuracy that never exceeds it while its loss falls by half counts exact hits of a regression


def scaled(roles: Sequence[Role], tracks: Mapping[str, Track]) -> tuple[Role, ...]:
    """Accuracies in percent come down to 0..1; a column outside both ranges is no accuracy."""
    in_percent = [
        r.track
        for r in roles
        if r.role.endswith("/acc")
        and not r.complement
        and (is_percent(r.track) or PERCENT_FROM < value_range(tracks[r.track])[1] <= PERCENT_TO)
    ]
    return tuple(_in_unit(r, tracks, in_percent) if r.role.endswith("/acc") and not r.complement else r for r in roles)


def _in_unit(role: Role, tracks: Mapping[str, Track], in_percent: Sequence[str]) -> Role:
    """An accuracy with its unit: from its own range, or its name, or the accuracies beside it.

    One that stays below 1.5 beside others in percent is in percent too if it starts near them, as
    everything starts at chance; if not, it may be either: a curve that never left 1 %, or a share.
    """
    low, high = value_range(tracks[role.track])
    percent = replace(role, why=f"{role.why}; in percent", scale=0.01)
    if low < 0 or high > PERCENT_TO:
        wrong = f"is called an accuracy, but reaches {low if low < 0 else high:g}"
        if role.why == "--map":
            raise BadOption(f"column {role.track!r} {wrong}", hint=f"map another column to {role.role}")
        return Role("", role.track, wrong)
    if role.track in in_percent:
        return percent
    if in_percent:
        first = max(_first(tracks[name]) for name in in_percent)
        if high > A_SHARE or first <= SAME_UNIT * _first(tracks[role.track]):
            return percent
    elif high <= A_SHARE:
        return role
    if role.why == "--map":
        return replace(role, why=f"{role.why}; taken as a share, not as percent")
    return Role("", role.track, f"reaches {high:g}: in percent or not? --map {role.role}=NAME takes it as a share")


def doubted(roles: Sequence[Role], tracks: Mapping[str, Track]) -> tuple[Role, ...]:
    """Without what is called an accuracy and is none: an error rate, or the exact hits of a regression.

    One that falls as its loss falls is an error rate that is called so: nobody but the user knows.
    """
    losses = {role.role.partition("/")[0]: role for role in roles if role.role.endswith("/loss")}
    if _of_a_regression(roles, losses, tracks):
        roles = [_no_accuracy(r) if r.role.endswith("/acc") and r.why != "--map" else r for r in roles]
    return tuple(
        Role(
            "", r.track, f"is called an accuracy, but falls as the loss does: --map {_error(r)}=NAME if it is an error"
        )
        if r.role in ERRORS.values() and r.why != "--map" and not r.complement and _falls_with(r, losses, tracks)
        else r
        for r in roles
    )


def _of_a_regression(roles: Sequence[Role], losses: Mapping[str, Role], tracks: Mapping[str, Track]) -> bool:
    """Whether no accuracy of the log ever leaves 0, though a loss falls to half of its start and below.

    A classifier whose cross-entropy halves is right far more often than that.
    """
    accuracies = [r for r in roles if r.role.endswith("/acc")]
    most = [value_range(tracks[r.track])[1] * r.scale for r in accuracies if not r.complement]
    if not most or len(most) < len(accuracies) or max(most) > NOTHING_HIT:
        return False
    ends = [_ends(tracks[r.track]) for r in losses.values() if r.track in tracks and not r.logarithm]
    return any(0 < end < FALLEN * start for start, end in ends)


def _no_accuracy(role: Role) -> Role:
    return Role("", role.track, "is called an accuracy, but stays at 0 while the loss falls, as of a regression")


def _error(role: Role) -> str:
    return next(error for error, acc in ERRORS.items() if acc == role.role)


def _falls_with(role: Role, losses: Mapping[str, Role], tracks: Mapping[str, Track]) -> bool:
    """From above a half to less than half of that, while the loss of its side, or of training, falls to half too.

    And it was never higher than at the start: an accuracy that rose before has collapsed.
    """
    loss = losses.get(role.role.partition("/")[0], losses.get("train"))
    if loss is None or loss.logarithm or loss.track not in tracks:
        return False
    start, end = (v * role.scale for v in _ends(tracks[role.track]))
    if value_range(tracks[role.track])[1] * role.scale > ROSE * _first(tracks[role.track]) * role.scale:
        return False
    loss_start, loss_end = _ends(tracks[loss.track])
    return start > ERROR_FROM and end < FALLEN * start and 0 < loss_end < FALLEN * loss_start


def _ends(track: Track) -> tuple[float, float]:
    """Medians of the first and of the last tenth, by step."""
    there = np.flatnonzero(_measured(track))
    if len(there) < A_CURVE:
        return 0.0, 0.0
    value = track.value[there][np.argsort(track.step[there], kind="stable")]
    tenth = max(1, len(value) // 10)
    return median(value[:tenth]), median(value[-tenth:])


def value_range(track: Track) -> tuple[float, float]:
    finite = track.value[_measured(track)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)


def _first(track: Track) -> float:
    finite = _measured(track)
    return float(track.value[finite][np.argmin(track.step[finite])]) if finite.any() else 0.0


def _measured(track: Track) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(track.value) & ~placeholders(track.value))
