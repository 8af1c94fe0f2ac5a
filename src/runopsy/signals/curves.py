"""Losses and accuracies: which column of each side is the main curve, and which are of further sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from runopsy.model import Role, Track, Values
from runopsy.signals.names import LOSSES, SIDE_OF, Guess, guess, is_percent, is_side, words
from runopsy.signals.numbered import FIRST, SECOND, as_training, lettered, of_training, unnamed_sets
from runopsy.signals.parts import nearest, whole_of_training
from runopsy.signals.units import A_CURVE, PERCENT_FROM, PERCENT_TO, value_range
from runopsy.stats import distinct, white_noise

MOST_DOUBT = 2  # special words a main curve may have ("val_cifar10_loss"); more, and it is one task among many
A_SUMMARY = 0.05  # of the values of the longest candidate: a column with fewer is a summary beside a curve
UNNAMED = "numbers a set, and nothing names it:"
ONE_OF = "one of"  # how the reason of a choice begins that the page tells
RARELY = 0.5  # of the values of the loss: an accuracy with no more is of validation, where that has none
OF_PASSES = ("avg", "average", "epoch")  # what the mean of a pass over a set is called
BATCHWISE = "step"  # Lightning adds it to the name of what was measured on a single batch
SAME_LEVEL = 10.0  # × between the first values of training and validation: a loss of both starts nearer than that
TOGETHER = 0.9  # share of the values of an accuracy at positions of a loss, for it to be logged beside it


def curves(names: Iterable[str], tracks: Mapping[str, Track], filled: set[str]) -> Iterator[Role]:
    """The losses and accuracies: per side and quantity the plainest name, the longest column among equals.

    Args:
        names: of the columns that may be chosen.
        tracks: all columns.
        filled: roles that are taken.
    """
    unnamed = unnamed_sets(tracks)
    yield from (Role("", name, f"{UNNAMED} {stem}{FIRST}, {stem}{SECOND}") for name, stem in unnamed.items())
    trained, names = of_training(tracks), [name for name in names if name not in unnamed]
    guesses = [g for name in names if not tracks[name].parts and (g := guess(name)) is not None]
    guesses = lettered([as_training(g) if g.track in trained else g for g in guesses])
    accuracies = list(_bare_accuracies({name: tracks[name] for name in names}, guesses, filled))
    taken = {role.track for role in accuracies}
    guesses += _bare_losses({name: tracks[name] for name in names if name not in taken}, guesses)
    has_val = any(g.side == "val" for g in guesses) or bool({"val/loss", "val/acc"} & filled)
    beside = _beside_validation(guesses, tracks, filled)
    yield from beside.values()
    yield from accuracies
    yield from _sums(tracks, filled)
    for quantity in ("loss", "acc"):
        kinds = LOSSES if quantity == "loss" else ("acc", "error")
        mine = [g for g in guesses if g.quantity in kinds and g.track not in beside]
        parts = {g.extra for g in mine if g.side in ("train", "") and g.extra}  # of training, so no evaluation sets
        twins = {g.extra for g in mine if g.side == "val"}  # val_head_acc: head_acc is training's
        train = [g for g in mine if g.side == "train" or (g.side == "" and (not g.extra or g.extra in twins))]
        if quantity == "loss" and len(mine) == 1 and mine[0].side == "":
            train = mine  # the only one there is, whatever it is made of
        yield from _best(train, f"train/{quantity}", tracks, filled, parts)
        val = [g for g in mine if g.side == "val" or (g.side == "test" and not has_val)]
        yield from _best(val, f"val/{quantity}", tracks, filled, parts, whole_of_training(train, tracks))
        yield from _further(val, quantity, filled, parts)
        if has_val:
            test = [g for g in mine if g.side == "test" and not g.extra]
            yield from _best(test, f"val.test/{quantity}", tracks, filled, parts)


def _bare_losses(tracks: Mapping[str, Track], guesses: Sequence[Guess]) -> list[Guess]:
    """``train, valid`` in one table, or ``Validation`` beside a loss: columns that name a set alone, as its loss.

    Counts are none. What ends higher than it began may be an accuracy, unless the one of training fell, and all start
    at the level of training's.
    """
    bare = {name: SIDE_OF[words(name)[0]] for name, track in tracks.items() if is_side(name) and _is_measured(track)}
    of_training = next((tracks[name] for name, side in bare.items() if side == "train"), None)
    losses = [g for g in guesses if g.quantity in LOSSES and g.side in ("train", "") and not g.extra]
    known = of_training if of_training is not None and _falls(of_training) else None
    level = _longest(losses, tracks) if known is None else known
    if level is None:
        return []
    return [
        Guess(name, side, "loss", (), 1, smoothed=False)
        for name, side in bare.items()
        if _start(level) / SAME_LEVEL < _start(tracks[name]) < _start(level) * SAME_LEVEL
        and (known is not None or _falls(tracks[name]))
    ]


def _is_measured(track: Track) -> bool:
    """Whether a column is a curve, and none of counts, which are whole numbers."""
    value = _finite(track)
    return len(value) > 1 and bool((value % 1 != 0).any())


def _falls(track: Track) -> bool:
    return bool(_finite(track)[-1] < _start(track))


def _start(track: Track) -> float:
    return float(_finite(track)[0]) if len(_finite(track)) else float("nan")


def _finite(track: Track) -> Values:
    return track.value[np.isfinite(track.value)]


def _bare_accuracies(tracks: Mapping[str, Track], guesses: Sequence[Guess], filled: set[str]) -> Iterator[Role]:
    """``Loss: 1.9, Train: 0.18, Val: 0.11, Test: 0.11``: beside a loss, columns that name a set alone are accuracies.

    They are shares or percent, of two sets at least, and training's ends no lower than it began.
    """
    sides = {name: SIDE_OF[words(name)[0]] for name in tracks if is_side(name)}
    has_loss = any(g.quantity == "loss" and g.side in ("train", "") for g in guesses)
    if not has_loss or len(set(sides.values())) < 2 or any(g.quantity in ("acc", "error") for g in guesses):
        return
    ranges = [value_range(tracks[name]) for name in sides]
    rises = all(t.value[-1] >= t.value[0] for n, t in tracks.items() if sides.get(n) == "train" and len(t))
    if min(low for low, _ in ranges) < 0 or max(high for _, high in ranges) > PERCENT_TO or not rises:
        return
    roles = {"train": "train/acc", "val": "val/acc", "test": "val.test/acc" if "val" in sides.values() else "val/acc"}
    for name, side in sides.items():
        if roles[side] not in filled:
            filled.add(roles[side])
            yield Role(roles[side], name, "names a set alone, beside a loss: its accuracy")


def _sums(tracks: Mapping[str, Track], filled: set[str]) -> Iterator[Role]:
    """The sums of parts, each of the side of its parts."""
    for name, track in tracks.items():
        first = guess(track.parts[0]) if track.parts else None
        if first is None:
            continue
        role = "train/loss" if first.side in ("train", "") else "val/loss"
        if role in filled:
            continue
        filled.add(role)
        words = [" ".join(g.extra) for part in track.parts if (g := guess(part)) is not None]
        yield Role(role, name, f"the sum of {len(words)} parts, as none is called the whole: {', '.join(words)}")


def _beside_validation(guesses: Sequence[Guess], tracks: Mapping[str, Track], filled: set[str]) -> dict[str, Role]:
    """Accuracies that name no side and are of validation, or may be of either, by column.

    ``train_loss, valid_loss, accuracy`` in one table, as notebook callbacks print it, and an accuracy that is logged
    more rarely than the loss, with no other of validation, are validation's. ``loss, accuracy, val_loss`` in the
    same rows is Keras, where it is of training.
    """
    accuracies = [g for g in guesses if g.quantity in ("acc", "error")]
    unsided = [g for g in accuracies if g.side == "" and not g.extra]
    if not unsided or any(g.side in ("val", "test") for g in accuracies) or "val/acc" in filled:
        return {}
    losses = [g for g in guesses if g.quantity in LOSSES]
    train = _longest([g for g in losses if g.side == "train" or (g.side == "" and not g.extra)], tracks)
    val = _longest([g for g in losses if g.side in ("val", "test")], tracks)
    sided = not any(g.side == "" and not g.extra for g in losses if g.quantity == "loss")
    found: dict[str, Role] = {}
    for g in sorted(unsided, key=lambda g: _rank(g, tracks, 0)):
        why = _of_validation(tracks[g.track], train, val, sided=sided)
        if not why:
            continue
        free = not any(role.role for role in found.values())
        role = _role("val/acc", g, tracks, 1) if free else Role("", g.track, "another accuracy is validation's")
        found[g.track] = Role(role.role, g.track, why, role.scale, role.complement) if free else role
    return found


def _of_validation(accuracy: Track, train: Track | None, val: Track | None, *, sided: bool) -> str:
    """Why an accuracy that names no side is of validation; empty where it is of training."""
    if train is None and val is None:
        return ""
    if val is not None and sided and _beside(accuracy, val) and (train is None or len(train) < 2 * len(accuracy)):
        return "names no side and stands beside the loss of validation: of validation"
    # Places count: a loss that is printed twice at each is logged no more often.
    rare = train is not None and A_CURVE <= len(accuracy) <= RARELY * len(distinct(train.step))
    if rare and (val is None or _beside(accuracy, val)):
        return "names no side and is logged more rarely than the loss: of validation"
    return ""


def _beside(accuracy: Track, loss: Track) -> bool:
    return bool(np.isin(accuracy.step, loss.step).mean() >= TOGETHER) if len(accuracy) else False


def _longest(guesses: Sequence[Guess], tracks: Mapping[str, Track]) -> Track | None:
    return max((tracks[g.track] for g in guesses), key=len, default=None)


def _best(
    guesses: list[Guess],
    role: str,
    tracks: Mapping[str, Track],
    filled: set[str],
    parts: set[tuple[str, ...]],
    whole: Track | None = None,
) -> Iterator[Role]:
    """The main curve of a side, if it can be determined; ``whole`` is the loss of training, to compare with."""
    if not guesses or role in filled:
        return
    guesses = _of_whole_passes(guesses, tracks)
    longest = max(len(tracks[g.track]) for g in [g for g in guesses if not g.extra] or guesses)
    ranked = sorted(guesses, key=lambda g: _rank(g, tracks, longest))
    if ranked[0].doubt > MOST_DOUBT:
        return
    equals = [g for g in ranked if _rank(g, tracks, longest)[1:4] == _rank(ranked[0], tracks, longest)[1:4]]
    if len(equals) > 1 and any(g.is_part or g.extra in parts for g in equals):
        if whole is not None:
            yield from _one_measure([g.track for g in equals], role, whole, tracks)
            return
        yield from (Role("", g.track, f"one of {len(equals)} parts; none is called the whole") for g in equals)
        return
    yield _role(role, ranked[0], tracks, len(equals))


def _one_measure(names: list[str], role: str, whole: Track, tracks: Mapping[str, Track]) -> Iterator[Role]:
    """``val_loss_mse, val_loss_l2re`` beside ``train_loss``: of several measures the one that is nearest training's."""
    chosen = nearest([tracks[name] for name in names], whole).name
    why = (
        f"{ONE_OF} {len(names)} measures of validation, and nearest the level of training: --map {role}=NAME to change"
    )
    yield Role(role, chosen, why)
    yield from (Role("", name, f"another measure of validation: {chosen} is used") for name in names if name != chosen)


def _further(val: list[Guess], quantity: str, filled: set[str], parts: set[tuple[str, ...]]) -> Iterator[Role]:
    """Further evaluation sets, each under its own name."""
    named = set(filled)
    for g in val:
        role = f"val.{'-'.join(g.extra)}/{quantity}"
        is_set = g.extra and g.extra not in parts and not g.is_part and g.quantity == quantity
        if is_set and role not in named:
            named.add(role)
            yield Role(role, g.track, "a further evaluation set")


def _of_whole_passes(guesses: list[Guess], tracks: Mapping[str, Track]) -> list[Guess]:
    """Without what is of single batches, where the mean of each pass is a curve as well.

    Of validation a batch never shows more than the mean of them all. Of training it shows more, unless its noise, in
    the mean of the batches that were logged in a pass, is larger than what the means go in a pass.
    """
    named = {g.track for g in guesses if _is_of_passes(g) and len(tracks[g.track]) > 1}
    return [g for g in guesses if not any(_is_a_batch_of(g, mean, tracks) for mean in guesses if mean.track in named)]


def _is_of_passes(g: Guess) -> bool:
    """Whether a column is called the mean of a pass; the mean accuracy of classes is another quantity."""
    called = words(g.track)
    return any(w in called for w in OF_PASSES) or ("mean" in called and g.quantity != "acc")


def _is_a_batch_of(g: Guess, mean: Guess, tracks: Mapping[str, Track]) -> bool:
    """Whether a column is of single batches, and the mean of their passes shows more."""
    if _is_of_passes(g) or (g.side, g.quantity, g.extra) != (mean.side, mean.quantity, mean.extra):
        return False
    batches, means = tracks[g.track], tracks[mean.track]
    if g.side in ("val", "test"):
        return BATCHWISE in words(g.track) or len(batches) >= len(means)
    logged = len(batches) / len(means)
    noise = white_noise(_finite(batches)) / logged**0.5
    return logged >= 1 and len(means) >= A_CURVE and bool(noise > np.ptp(_finite(means)) / len(means))


def _rank(g: Guess, tracks: Mapping[str, Track], longest: int) -> tuple[bool, int, bool, bool, bool, int]:
    """The less, the likelier to be the main curve."""
    rows = len(tracks[g.track])
    return rows < max(A_CURVE, A_SUMMARY * longest), g.doubt, g.smoothed, g.side == "", g.quantity == "ppl", -rows


def _role(role: str, g: Guess, tracks: Mapping[str, Track], equals: int) -> Role:
    why = f"names {g.side or 'no side, so train'} {'alone: its' if is_side(g.track) else 'and'} {g.quantity}"
    if g.side == "test" and role.startswith("val/"):
        why += "; no other evaluation set"
    if equals > 1:
        others = "1 other fits" if equals == 2 else f"{equals - 1} others fit"
        why += f"; {others} as well, chosen for its length and place: --map {role}=NAME to change"
    if g.quantity == "error":
        percent = value_range(tracks[g.track])[1] > PERCENT_FROM or is_percent(g.track)
        return Role(role, g.track, why + "; 1 - error rate", 0.01 if percent else 1.0, complement=True)
    if g.quantity == "ppl":
        return Role(role, g.track, why.replace("ppl", "perplexity; its logarithm"), logarithm=True)
    return Role(role, g.track, why)
