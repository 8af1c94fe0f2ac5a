"""What a log lacks for a judgement, and which --map would give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from runopsy.model import VALIDATED, Role, Track
from runopsy.signals.curves import ONE_OF
from runopsy.signals.names import SIDE_OF, guess, words
from runopsy.signals.numbered import FIRST, SECOND, unnamed_sets
from runopsy.signals.scores import is_metric
from runopsy.stats import distinct

FEW = 5  # names in a sentence
WIDE = 40  # characters of a name in a sentence


# What a log tells about a validation beside its curves: none of it need be named where no curve of it is read.
BOOKKEEPING = ("runtime", "samples", "steps", "per", "batch", "batches", "size", "epoch", "iter", "num", "time",
               "duration", "seconds", "lr")  # fmt: skip


class Missing(NamedTuple):
    """One thing that no column gives."""

    role: str  # that is not played
    why: str
    do: str  # what would give it, as it is typed; empty where the log holds nothing of the kind


def missing(roles: Sequence[Role]) -> tuple[Missing, ...]:
    """The curves of a judgement that no column plays; none beside a reward, which is judged alone."""
    played = {role.role for role in roles}
    if "reward" in played:
        return ()
    found = []
    if not {"train/loss", "train/acc"} & played:
        found.append(_lack("train/loss", "no curve of training", roles))
    if not {*VALIDATED} & played:
        found.append(_lack("val/loss", "no curve of validation", roles))
    return tuple(found)


def notes_on(roles: Sequence[Role], tracks: Mapping[str, Track]) -> Iterator[str]:
    """What a reader must know of the columns of validation: one that was chosen of several, or none that was read."""
    chosen = [role for role in roles if role.role and role.why.startswith(ONE_OF)]
    yield from (f"{role.track} is taken as {role.role}: {role.why}" for role in chosen)
    played = {role.role for role in roles}
    if {"reward", *VALIDATED} & played:
        return
    unread = [role for role in roles if not role.role and _is_of_validation(role.track, tracks[role.track])]
    doubted = [role for role in unread if role.why.startswith(("is called", "reaches"))]
    yield from (f"{_short(role.track)} is of validation and was left out: it {role.why}" for role in doubted[:FEW])
    others = [role.track for role in unread if role not in doubted]
    if others and "val/metric" not in played:
        some = _some(others)
        yield f"of validation there is {some}, of which none is called a loss or an accuracy: --map gives them roles"
    if sets := unnamed_sets(tracks):
        yield f"{_some([*sets])} number sets that nothing names: --map gives them their roles"


def _is_of_validation(name: str, track: Track) -> bool:
    """Whether a column is a curve of validation by its name, and no account of how long it took."""
    parts = words(name)
    named = any(SIDE_OF.get(part) in ("val", "test") for part in parts) and not any(p in BOOKKEEPING for p in parts)
    return named and len(distinct(track.value[np.isfinite(track.value)])) > 1


def refusal(roles: Sequence[Role]) -> tuple[str, str]:
    """Why a log without any curve of a judgement cannot be judged, and what to do: (what is so, what to do next)."""
    if sets := unnamed_sets(role.track for role in roles):
        stem = next(iter(sets.values()))
        first, second = (_quoted(f"{stem}{number}") for number in (FIRST, SECOND))
        return (
            f"{_some([*sets])} number sets that nothing names, and which is of training cannot be told",
            f"set it: --map train/{_kind(stem)}={first} --map val/{_kind(stem)}={second}, or the other way round",
        )
    named = [role for role in roles if is_metric(role.track)]
    names = [role.track for role in named]
    if not named:
        some = _some([role.track for role in roles])
        example = _quoted(roles[min(1, len(roles) - 1)].track) if roles else "NAME"
        return (
            f"no column is called a loss, an accuracy, a score or a reward (columns: {some})",
            f"set which is which, if it is one of them: --map train/loss={example}",
        )
    doubted = next((role for role in named if role.why != "no role"), None)
    why = f"{_short(doubted.track)} {doubted.why}" if doubted else "none of them is named as the main curve"
    lack = _lack("train/loss", "", named)
    return f"found {_some(names)}, but nothing to judge: {why}", f"set it: {lack.do or '--map train/loss=NAME'}"


def _lack(role: str, why: str, roles: Sequence[Role]) -> Missing:
    """With the column that is likeliest to be meant, of those that play no role."""
    side, _, _ = role.partition("/")
    free = [r for r in roles if not r.role and (guess(r.track) is not None)]
    sided = [r for r in free if _names_side(r.track, side)]
    meant = min(sided or (free if side == "train" else []), key=lambda r: len(words(r.track)), default=None)
    if meant is None:
        return Missing(role, why, "")
    kind = _kind(meant.track)
    reason = f"{why}; {_short(meant.track)}: {meant.why}" if meant.why != "no role" else why
    return Missing(f"{side}/{kind}", reason, f"--map {side}/{kind}={_quoted(meant.track)}")


def _kind(name: str) -> str:
    found = guess(name)
    return "acc" if found is not None and found.quantity in ("acc", "error") else "loss"


def _names_side(name: str, side: str) -> bool:
    found = guess(name)
    return found is not None and (found.side == side or (side == "val" and found.side == "test"))


def _quoted(name: str) -> str:
    return f"'{name}'" if any(c in name for c in " ()[]&;<>|*?$") and "'" not in name else name


def _short(name: str) -> str:
    return name if len(name) <= WIDE else f"{name[: WIDE - 1]}…"


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(_short, names[:FEW])) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")
