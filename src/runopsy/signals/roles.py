"""Which column is the loss? Foreign names → canonical roles, with the reason.

A wrong role is worse than none: where the names leave open which column is meant, none is chosen, and
the reason stands beside the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runopsy.errors import BadOption
from runopsy.model import Role, Track
from runopsy.signals.names import ADVERSARIAL, SINGLES, Guess, better, guess, is_learning_rate, says_percent, words
from runopsy.signals.placeholders import placeholders

# Every role --map accepts, beside val.<set>/loss and val.<set>/acc.
ROLES = ("train/loss", "train/acc", "val/loss", "val/acc", *SINGLES)
ERRORS = {"train/error": "train/acc", "val/error": "val/acc"}  # of --map alone: a column that is 1 - the role
FURTHER = re.compile(r"val\.[^/]+/(loss|acc)")
MOST_DOUBT = 2  # special words a main curve may have ("val_cifar10_loss"); more, and it is one task among many
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


def assign(tracks: Mapping[str, Track], mapping: Mapping[str, str] | None = None) -> tuple[Role, ...]:
    """A role, or none, for every column, in the order of the log.

    Args:
        tracks: the columns by name.
        mapping: role → column, which overrides every guess.

    Raises:
        BadOption: a role that does not exist, a column that is not there, or one that cannot be what it is said to be.
    """
    mapping = dict(mapping or {})
    _check(mapping, tracks)
    taken = {column: _mapped(role, column, tracks) for role, column in mapping.items()}
    filled = {role.role for role in taken.values()}
    for role in _singles(tracks, filled, taken):
        taken.setdefault(role.track, role)
    free = [g for name in tracks if name not in taken and (g := guess(name)) is not None]
    for role in _curves(free, tracks, filled):
        taken.setdefault(role.track, role)
    roles = _scaled([taken.get(name, Role("", name, "no role")) for name in tracks], tracks)
    return tuple(replace(role, better=_better(role)) for role in _doubted(roles, tracks))


def _better(role: Role) -> str:
    """The direction of the column: what its role says, and where it has none, its name."""
    if role.role.endswith("/acc"):
        return "lower" if role.complement else "higher"
    return "lower" if role.role.endswith("/loss") else better(role.track)


def _mapped(role: str, column: str, tracks: Mapping[str, Track]) -> Role:
    """What --map says of a column."""
    if role in ERRORS:
        percent = _range(tracks[column])[1] > PERCENT_FROM or says_percent(column)
        return Role(ERRORS[role], column, "--map; 1 - error rate", 0.01 if percent else 1.0, complement=True)
    found = guess(column)
    if role.endswith("/loss") and found is not None and found.quantity == "ppl":
        return Role(role, column, "--map; the logarithm of a perplexity", logarithm=True)
    return Role(role, column, "--map")


def _check(mapping: Mapping[str, str], tracks: Mapping[str, Track]) -> None:
    for role, column in mapping.items():
        if role not in ROLES and role not in ERRORS and not FURTHER.fullmatch(role):
            known = ", ".join((*ROLES, *ERRORS))
            raise BadOption(f"there is no role {role!r}", hint=f"roles: {known}, val.NAME/loss, val.NAME/acc")
        if column not in tracks:
            some = ", ".join(name[:40] for name in list(tracks)[:12])
            raise BadOption(
                f"the log has no column {column!r}", hint=f"it has {some}{' …' if len(tracks) > 12 else ''}"
            )
    twice = sorted(column for column in set(mapping.values()) if list(mapping.values()).count(column) > 1)
    if twice:
        raise BadOption(f"column {twice[0]!r} is mapped to two roles", hint="a column plays one role")


# --- roles that one name fills -------------------------------------------------------------------


def _singles(tracks: Mapping[str, Track], filled: Iterable[str], taken: Mapping[str, Role]) -> Iterator[Role]:
    """Roles that one well-known name fills; ``lr-AdamW`` and ``lr/group`` are learning rates too."""
    free = [name for name in tracks if name not in taken]
    joined = {name: "_".join(words(name)) for name in free}
    by_word = {joined[name]: name for name in reversed(free)}
    for role, known in SINGLES.items():
        called = role if role in joined else next((by_word[word] for word in known if word in by_word), None)
        if role not in filled and called is not None:
            yield Role(role, called, f"is called {called!r}")
        elif role == "lr" and role not in filled:
            yield from (Role("lr", name, "is a learning rate") for name in [n for n in free if is_learning_rate(n)][:1])


# --- losses and accuracies -----------------------------------------------------------------------


def _curves(guesses: list[Guess], tracks: Mapping[str, Track], filled: set[str]) -> Iterator[Role]:
    """The losses and accuracies: per side and quantity the plainest name, the longest column among equals."""
    has_val = any(g.side == "val" for g in guesses) or bool({"val/loss", "val/acc"} & filled)
    unsided = _unsided(guesses)
    yield from (Role("", g.track, "may be of training or of validation: --map says which") for g in unsided)
    yield from (
        Role("", g.track, "of a player in an adversarial game: falling is no progress") for g in _players(guesses)
    )
    for quantity in ("loss", "acc"):
        kinds = ("loss", "ppl", "bits") if quantity == "loss" else ("acc", "error")
        mine = [g for g in guesses if g.quantity in kinds and g not in unsided]
        parts = {g.extra for g in mine if g.side in ("train", "") and g.extra}  # of training, so no evaluation sets
        train = [g for g in mine if g.side == "train" or (g.side == "" and not g.extra)]
        yield from _best(train, f"train/{quantity}", tracks, filled, parts)
        val = [g for g in mine if g.side == "val" or (g.side == "test" and not has_val)]
        yield from _best(val, f"val/{quantity}", tracks, filled, parts)
        yield from _further(val, quantity, filled, parts)
        if has_val:
            test = [g for g in mine if g.side == "test" and not g.extra]
            yield from _best(test, f"val.test/{quantity}", tracks, filled, parts)


def _players(guesses: Sequence[Guess]) -> list[Guess]:
    """The losses of a generator and of a discriminator, which balance each other; at least two of them."""
    found = [g for g in guesses if g.extra and all(word in ADVERSARIAL for word in g.extra)]
    return found if len(found) > 1 else []


def _unsided(guesses: Sequence[Guess]) -> list[Guess]:
    """Accuracies that do not say whose they are, in a log that says it elsewhere: train_loss, val_loss, accuracy.

    Beside an unsided loss, or with an accuracy of validation, they are of training, as Keras has it.
    """
    accuracies = [g for g in guesses if g.quantity != "loss"]
    if any(g.quantity == "loss" and g.side == "" and not g.extra for g in guesses):
        return []
    if any(g.side in ("val", "test") for g in accuracies) or all(g.side == "" for g in guesses):
        return []
    return [g for g in accuracies if g.side == "" and not g.extra]


def _best(
    guesses: list[Guess], role: str, tracks: Mapping[str, Track], filled: set[str], parts: set[tuple[str, ...]]
) -> Iterator[Role]:
    """The main curve of a side, if it can be told."""
    if not guesses or role in filled:
        return
    ranked = sorted(guesses, key=lambda g: _rank(g, tracks))
    if ranked[0].doubt > MOST_DOUBT:
        return
    equals = [g for g in ranked if _rank(g, tracks)[:4] == _rank(ranked[0], tracks)[:4]]
    if len(equals) > 1 and any(g.is_part or g.extra in parts for g in equals):
        yield from (Role("", g.track, f"one of {len(equals)} parts; none is called the whole") for g in equals)
        return
    yield _role(role, ranked[0], tracks, len(equals))


def _further(val: list[Guess], quantity: str, filled: set[str], parts: set[tuple[str, ...]]) -> Iterator[Role]:
    """Further evaluation sets, each under its own name."""
    named = set(filled)
    for g in val:
        role = f"val.{'-'.join(g.extra)}/{quantity}"
        is_set = g.extra and g.extra not in parts and not g.is_part and g.quantity == quantity
        if is_set and role not in named:
            named.add(role)
            yield Role(role, g.track, "a further evaluation set")


def _rank(g: Guess, tracks: Mapping[str, Track]) -> tuple[bool, int, bool, bool, int]:
    """The less, the likelier to be the main curve."""
    return len(tracks[g.track]) < A_CURVE, g.doubt, g.smoothed, g.side == "", -len(tracks[g.track])


def _role(role: str, g: Guess, tracks: Mapping[str, Track], equals: int) -> Role:
    why = f"says {g.side or 'no side, so train'} and {g.quantity}"
    if g.side == "test" and role.startswith("val/"):
        why += "; no other evaluation set"
    if equals > 1:
        others = "1 other fits" if equals == 2 else f"{equals - 1} others fit"
        why += f"; {others} as well, chosen for its length and place: --map {role}=NAME to change"
    if g.quantity == "error":
        percent = _range(tracks[g.track])[1] > PERCENT_FROM or says_percent(g.track)
        return Role(role, g.track, why + "; 1 - error rate", 0.01 if percent else 1.0, complement=True)
    if g.quantity == "ppl":
        return Role(role, g.track, why.replace("ppl", "perplexity; its logarithm"), logarithm=True)
    return Role(role, g.track, why)


# --- accuracies in percent -----------------------------------------------------------------------


def _scaled(roles: Sequence[Role], tracks: Mapping[str, Track]) -> tuple[Role, ...]:
    """Accuracies in percent come down to 0..1; a column outside both ranges is no accuracy."""
    in_percent = [
        r.track
        for r in roles
        if r.role.endswith("/acc")
        and not r.complement
        and (says_percent(r.track) or PERCENT_FROM < _range(tracks[r.track])[1] <= PERCENT_TO)
    ]
    return tuple(_in_unit(r, tracks, in_percent) if r.role.endswith("/acc") and not r.complement else r for r in roles)


def _in_unit(role: Role, tracks: Mapping[str, Track], in_percent: Sequence[str]) -> Role:
    """An accuracy with its unit: its own range says it, or its name, or the accuracies beside it.

    One that stays below 1.5 beside others in percent is in percent too if it starts near them, as
    everything starts at chance; if not, it may be either: a curve that never left 1 %, or a share.
    """
    low, high = _range(tracks[role.track])
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


# --- accuracies that are none ----------------------------------------------------------------------


def _doubted(roles: Sequence[Role], tracks: Mapping[str, Track]) -> tuple[Role, ...]:
    """An accuracy that falls as its loss falls is an error rate that is called so: nobody but the user can tell."""
    losses = {role.role.partition("/")[0]: role for role in roles if role.role.endswith("/loss")}
    return tuple(
        Role(
            "", r.track, f"is called an accuracy, but falls as the loss does: --map {_error(r)}=NAME if it is an error"
        )
        if r.role in ERRORS.values() and r.why != "--map" and not r.complement and _falls_with(r, losses, tracks)
        else r
        for r in roles
    )


def _error(role: Role) -> str:
    return next(error for error, acc in ERRORS.items() if acc == role.role)


def _falls_with(role: Role, losses: Mapping[str, Role], tracks: Mapping[str, Track]) -> bool:
    """From above a half to less than half of that, while the loss of its side, or of training, falls to half too.

    And it was never higher than at the start: an accuracy that rose before has collapsed.
    """
    loss = losses.get(role.role.partition("/")[0], losses.get("train"))
    if loss is None or loss.logarithm:
        return False
    start, end = (v * role.scale for v in _ends(tracks[role.track]))
    if _range(tracks[role.track])[1] * role.scale > ROSE * _first(tracks[role.track]) * role.scale:
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
    return float(np.median(value[:tenth])), float(np.median(value[-tenth:]))


def _range(track: Track) -> tuple[float, float]:
    finite = track.value[_measured(track)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)


def _first(track: Track) -> float:
    finite = _measured(track)
    return float(track.value[finite][np.argmin(track.step[finite])]) if finite.any() else 0.0


def _measured(track: Track) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(track.value) & ~placeholders(track.value))
