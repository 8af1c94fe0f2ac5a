"""Which column is the loss? Foreign names → canonical roles, with the reason.

A name is split into words ("train_loss_step" → train, loss, step; "val/topKAcc" → val, top, k, acc).
One word may name the side (train, val, test), one the quantity (loss, acc); every further word that is
not a mere qualifier makes the name less likely to be the main curve of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from runopsy.errors import BadOption
from runopsy.model import Role, Track

SIDES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "tr"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation", "heldout", "holdout"),
    "test": ("test", "testing"),
}
QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "loss": ("loss", "losses", "nll", "ce", "xent", "crossentropy", "objective", "cost"),
    "acc": ("acc", "accuracy", "top1", "acc1"),
}
LESSER = {"mse": "loss", "rmse": "loss", "mae": "loss"}  # a loss if nothing is called one
QUALIFIERS = ("step", "epoch", "avg", "mean", "total", "overall", "running", "smooth", "smoothed", "ema", "metrics",
              "iter", "batch", "stats", "model", "value", "curve", "scalars", "history")  # fmt: skip
# One name each, for whole names after joining the words with "_".
SINGLES: Mapping[str, tuple[str, ...]] = {
    "lr": ("lr", "learning_rate", "learningrate", "current_lr", "train_lr", "train_learning_rate"),
    "epoch": ("epoch", "epochs", "train_epoch", "current_epoch"),
    "batch_size": ("batch_size", "batchsize", "global_batch_size", "train_batch_size"),
    "tokens": ("tokens", "total_tokens", "tokens_seen", "num_tokens", "throughput_total_tokens"),
    "grad/norm": ("grad_norm", "gradient_norm", "gradnorm", "train_grad_norm", "grad_l2"),
    "weights/norm": ("weights_norm", "weight_norm", "param_norm", "parameter_norm", "wn_total"),
    "weights/update_ratio": ("weights_update_ratio", "update_ratio"),
    "features/effective_rank": ("features_effective_rank", "effective_rank", "erank"),
    "gns": ("gns", "grad_noise_scale", "gradient_noise_scale", "noise_scale"),
    "recorder/overhead": ("recorder_overhead",),
}
# Every role --map accepts, beside val.<set>/loss and val.<set>/acc.
ROLES = ("train/loss", "train/acc", "val/loss", "val/acc", *SINGLES)
FURTHER = re.compile(r"val\.[^/]+/(loss|acc)")
MOST_DOUBT = 2  # special words a main curve may have ("val_cifar10_loss"); more, and it is one task among many
PERCENT_FROM = 1.5  # an accuracy above it is in percent: 1.5 leaves room for means a little over 1
PERCENT_TO = 100.5


@dataclass(frozen=True, slots=True)
class Guess:
    """What a name says."""

    track: str
    side: str  # "train", "val", "test" or "" where the name does not say
    quantity: str  # "loss", "acc" or "error"
    extra: tuple[str, ...]  # words that make it something more special
    doubt: int  # how unlikely it is to be the main curve: 0 for a plain name


def words(name: str) -> list[str]:
    """The words of a name, lower case; a change of case and any punctuation separate them."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [w for w in re.split(r"[^a-z0-9@]+", spaced.lower().replace("@", "")) if w]


def guess(name: str) -> Guess | None:
    """What a column is by its name; None where it is neither a loss nor an accuracy."""
    parts = words(name)
    joined = "_".join(parts)
    if any(joined == single for singles in SINGLES.values() for single in singles):
        return None
    side = next((s for s, names in SIDES.items() for w in parts if w in names), "")
    quantity, named = _quantity(parts)
    if not quantity:
        return None
    spoken = {w for names in SIDES.values() for w in names} | set(named) | set(QUALIFIERS)
    extra = tuple(w for w in parts if w not in spoken)
    return Guess(name, side, quantity, extra, len(extra) + (named[0] in LESSER) + (quantity == "error"))


def _quantity(parts: list[str]) -> tuple[str, tuple[str, ...]]:
    """(quantity, the words that say so)."""
    for quantity, names in QUANTITIES.items():
        said = tuple(w for w in parts if w in names)
        if said:
            return quantity, said + (("cross", "entropy") if "entropy" in parts else ())
    if "entropy" in parts and "cross" in parts:
        return "loss", ("cross", "entropy")
    if "top" in parts and "1" in parts:
        return "acc", ("top", "1")
    if ("error" in parts or "err" in parts) and ("rate" in parts or "top1" in parts):
        return "error", tuple(w for w in parts if w in ("error", "err", "rate", "top1"))
    lesser = tuple(w for w in parts if w in LESSER)
    return (LESSER[lesser[0]], lesser) if lesser else ("", ())


def assign(tracks: Mapping[str, Track], mapping: Mapping[str, str] | None = None) -> tuple[Role, ...]:
    """A role, or none, for every column, in the order of the log.

    Args:
        tracks: the columns by name.
        mapping: role → column, which overrides every guess.

    Raises:
        BadOption: a role that does not exist, or a column that is not there.
    """
    mapping = dict(mapping or {})
    _check(mapping, tracks)
    taken = {column: Role(role, column, "--map") for role, column in mapping.items()}
    filled = set(mapping)
    for role in _singles(tracks, filled | set(taken)):
        taken.setdefault(role.track, role)
    free = [g for name in tracks if name not in taken and (g := guess(name)) is not None]
    for role in _curves(free, tracks, filled):
        taken.setdefault(role.track, role)
    return tuple(_scaled(taken.get(name, Role("", name, "no role")), track) for name, track in tracks.items())


def _check(mapping: Mapping[str, str], tracks: Mapping[str, Track]) -> None:
    for role, column in mapping.items():
        if role not in ROLES and not FURTHER.fullmatch(role):
            raise BadOption(
                f"there is no role {role!r}", hint=f"roles: {', '.join(ROLES)}, val.NAME/loss, val.NAME/acc"
            )
        if column not in tracks:
            some = ", ".join(list(tracks)[:12])
            raise BadOption(
                f"the log has no column {column!r}", hint=f"it has {some}{' …' if len(tracks) > 12 else ''}"
            )


def _singles(tracks: Mapping[str, Track], filled: Iterable[str]) -> Iterator[Role]:
    """Roles that one well-known name fills; ``lr-AdamW`` and ``lr/group`` are learning rates too."""
    filled = set(filled)
    for name in tracks:
        joined = "_".join(words(name))
        for role, known in SINGLES.items():
            if role not in filled and (name == role or joined in known):
                filled.add(role)
                yield Role(role, name, f"is called {name!r}")
    if "lr" not in filled:
        for name in tracks:
            if words(name)[:1] == ["lr"] or words(name)[:2] == ["learning", "rate"]:
                yield Role("lr", name, "begins with lr")
                return


def _curves(guesses: list[Guess], tracks: Mapping[str, Track], filled: set[str]) -> Iterator[Role]:
    """The losses and accuracies: per side and quantity the plainest name, the longest column among equals."""
    has_val = any(g.side == "val" and not g.extra for g in guesses) or {"val/loss", "val/acc"} & filled
    for quantity in ("loss", "acc"):
        mine = [g for g in guesses if g.quantity == quantity or (quantity == "acc" and g.quantity == "error")]
        train = [g for g in mine if g.side == "train" or (g.side == "" and not g.extra)]
        yield from _best(train, "train", quantity, tracks, filled)
        sides = ("val",) if has_val else ("val", "test")
        yield from _best([g for g in mine if g.side in sides], "val", quantity, tracks, filled)
        if has_val:
            yield from _best(
                [g for g in mine if g.side == "test" and not g.extra], "val.test", quantity, tracks, filled
            )


def _best(
    guesses: list[Guess], side: str, quantity: str, tracks: Mapping[str, Track], filled: set[str]
) -> Iterator[Role]:
    if not guesses:
        return
    ranked = sorted(guesses, key=lambda g: (g.doubt, g.side == "", -len(tracks[g.track])))
    role = f"{side}/{quantity}"
    if role not in filled and ranked[0].doubt <= MOST_DOUBT:
        yield _role(role, ranked[0], tracks, [g.track for g in ranked if g.doubt == ranked[0].doubt])
    if side == "val":  # further evaluation sets, each under its own name
        for g in ranked[1 if role not in filled else 0 :]:
            if g.extra and g.quantity != "error":
                yield Role(f"val.{'-'.join(g.extra)}/{quantity}", g.track, "a further evaluation set")


def _role(role: str, g: Guess, tracks: Mapping[str, Track], equals: list[str]) -> Role:
    side = role.split("/")[0]
    why = f"says {g.side or 'no side, so train'} and {g.quantity}"
    if g.side == "test" and side == "val":
        why += "; no other evaluation set"
    if len(equals) > 1:
        why += f"; {len(equals) - 1} others fit as well, chosen for its length and place: --map {role}=NAME to change"
    if g.quantity == "error":
        value = tracks[g.track].value
        percent = float(np.nanmax(value)) > PERCENT_FROM if np.isfinite(value).any() else False
        return Role(role, g.track, why + "; 1 - error rate", 0.01 if percent else 1.0, complement=True)
    return Role(role, g.track, why)


def _scaled(role: Role, track: Track) -> Role:
    """Accuracies in percent come down to 0..1; a column outside both ranges is no accuracy."""
    if not role.role.endswith("/acc") or role.complement:
        return role
    finite = track.value[np.isfinite(track.value)]
    top = float(finite.max()) if len(finite) else 0.0
    if top <= PERCENT_FROM:
        return role
    if top <= PERCENT_TO and finite.min() >= 0:
        return Role(role.role, role.track, f"{role.why}; in percent", 0.01)
    return Role("", role.track, f"is called an accuracy, but reaches {top:g}")
