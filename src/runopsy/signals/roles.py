"""Which column is the loss? Foreign names → canonical roles, with the reason.

A wrong role is worse than none: where the names leave open which column is meant, none is chosen, and
the reason stands beside the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from runopsy.errors import BadOption
from runopsy.model import Role, Track
from runopsy.signals.curves import curves
from runopsy.signals.metric import selected
from runopsy.signals.names import LOSSES, SINGLES, better, guess, is_base_rate, is_learning_rate, is_percent, words
from runopsy.signals.scores import MONITOR, earned, is_length, is_reward, players, reward_doubt
from runopsy.signals.units import ERRORS, PERCENT_FROM, doubted, scaled, value_range

# Every role --map accepts, beside val.<set>/loss, val.<set>/acc and player/<name>.
ROLES = ("train/loss", "train/acc", "val/loss", "val/acc", "train/metric", "val/metric", "reward", "reward/length",
         *SINGLES)  # fmt: skip
FURTHER = re.compile(r"val\.[^/]+/(loss|acc)|player/.+")
OF_AN_AGENT = "a loss beside a reward: it falls and rises with what the agent meets, and is no progress"
OF_A_GAME = "a loss of an adversarial game: falling is no progress"


def assign(
    tracks: Mapping[str, Track],
    mapping: Mapping[str, str] | None = None,
    metric: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> tuple[Role, ...]:
    """A role, or none, for every column, in the order of the log.

    Args:
        tracks: the columns by name, with the sums that ``with_sums`` adds.
        mapping: role → column, which overrides every guess.
        metric: the column by which the best step is to be chosen: its role has ``chosen``.
        config: the settings of the run, which may name that column.

    Raises:
        BadOption: a role that does not exist, a column that is not there, or one that cannot play the role it is given.
    """
    mapping = dict(mapping or {})
    _check(mapping, tracks)
    taken = {column: _mapped(role, column, tracks) for role, column in mapping.items()}
    filled = {role.role for role in taken.values()}
    for role in _singles(tracks, filled, taken):
        taken.setdefault(role.track, role)
    free = [name for name in tracks if name not in taken]
    for role in (*_rewards(free, tracks, filled), *_players(free, filled)):
        taken.setdefault(role.track, role)
        filled.add(role.role)
    for role in curves([name for name in free if name not in taken], tracks, filled):
        taken.setdefault(role.track, role)
    roles = scaled([taken.get(name, Role("", name, "no role")) for name in tracks], tracks)
    roles = tuple(replace(role, better=_better(role)) for role in doubted(roles, tracks))
    return selected(roles, tracks, metric, config or {})


def _better(role: Role) -> str:
    """The direction of the column: that of its role, and where it has none, of its name."""
    if role.role.endswith("/acc"):
        return "lower" if role.complement else "higher"
    if role.role == "reward":
        return "higher"
    return "lower" if role.role.endswith("/loss") else better(role.track)


def _mapped(role: str, column: str, tracks: Mapping[str, Track]) -> Role:
    """The role that --map gives a column."""
    if role in ERRORS:
        percent = value_range(tracks[column])[1] > PERCENT_FROM or is_percent(column)
        return Role(ERRORS[role], column, "--map; 1 - error rate", 0.01 if percent else 1.0, complement=True)
    found = guess(column)
    if role.endswith("/loss") and found is not None and found.quantity == "ppl":
        return Role(role, column, "--map; the logarithm of a perplexity", logarithm=True)
    return Role(role, column, "--map")


def _check(mapping: Mapping[str, str], tracks: Mapping[str, Track]) -> None:
    for role, column in mapping.items():
        if role not in ROLES and role not in ERRORS and not FURTHER.fullmatch(role):
            known = ", ".join((*ROLES, *ERRORS))
            further = "val.NAME/loss, val.NAME/acc, player/NAME"
            raise BadOption(f"there is no role {role!r}", hint=f"roles: {known}, {further}")
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
            yield Role(role, called, "by its name")
        elif role == "lr" and role not in filled:
            rates = [n for n in free if is_learning_rate(n)]
            changing = [n for n in free if is_base_rate(n) and len(tracks[n]) and np.ptp(tracks[n].value) > 0]
            yield from (Role("lr", name, "is a learning rate") for name in (rates or changing)[:1])


# --- reinforcement learning, adversarial training --------------------------------------------------


def _rewards(names: list[str], tracks: Mapping[str, Track], filled: set[str]) -> Iterator[Role]:
    """The return, the length of its episodes, and the losses that play no role beside it."""
    found = [name for name in names if is_reward(name) and len(tracks[name]) > 1] or earned(names)
    lengths = [name for name in names if is_length(name) and len(tracks[name]) > 1]
    if set(MONITOR) <= set(names):
        found, lengths = [MONITOR[0]], [MONITOR[1]]
    if "reward" not in filled and not found:
        return
    if "reward" not in filled:
        best = min(found, key=lambda name: (reward_doubt(name), -len(tracks[name])))
        yield Role("reward", best, "names a reward or return: what an agent earns")
    if lengths and "reward/length" not in filled:
        yield Role("reward/length", max(lengths, key=lambda name: len(tracks[name])), "the length of an episode")
    yield from (Role("", name, OF_AN_AGENT) for name in names if _is_loss(name))


def _players(names: list[str], filled: set[str]) -> Iterator[Role]:
    """The losses of both sides of an adversarial game, and the others, which play no role beside them."""
    found = players(names)
    if not found or "reward" in filled:
        return
    yield from (Role(f"player/{name}", name, OF_A_GAME) for name in found if f"player/{name}" not in filled)
    yield from (Role("", name, OF_A_GAME) for name in names if _is_loss(name) and name not in found)


def _is_loss(name: str) -> bool:
    found = guess(name)
    return found is not None and found.quantity in LOSSES
