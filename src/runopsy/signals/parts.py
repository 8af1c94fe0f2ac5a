"""Losses that are logged in parts alone: their sum, as a column beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from runopsy.model import Run, Track
from runopsy.signals.names import LOSSES, Guess, guess
from runopsy.signals.scores import is_reward, players

# Words of parts of an objective of reinforcement learning: their sum is no progress either.
OF_AN_AGENT = ("policy", "pg", "vf", "value", "actor", "critic", "q", "qf1", "qf2", "entropy", "surrogate", "alpha")
SHARED = 0.5  # of the rows of the longest part that all parts must have, for a sum to be a curve
NAMED = 4  # parts whose names make the name of the sum; of more, the first and how many


def with_sums(run: Run) -> Run:
    """The run with a column for each side whose loss is logged in parts alone; the parts stay."""
    tracks = dict(run.tracks)
    for parts in parts_without_a_whole(run.tracks):
        total = _sum([run.tracks[name] for name in parts], _name(parts, tracks))
        if total is not None and not _are_measures(total, parts, run.tracks):
            tracks[total.name] = total
    return run if len(tracks) == len(run.tracks) else replace(run, tracks=tracks)


def parts_without_a_whole(tracks: Mapping[str, Track]) -> list[tuple[str, ...]]:
    """The columns to be added up: those of training, and those of validation; none where an agent or a game is trained.

    A part is distinguished from an evaluation set by a known word, or by the training side having one of that name too.
    """
    if any(is_reward(name) for name in tracks) or players(tracks):
        return []
    losses = [g for name in tracks if (g := guess(name)) is not None and g.quantity in LOSSES]
    train = [g for g in losses if g.side == "train"] or [g for g in losses if g.side == ""]
    train += [g for g in losses if g.side == "" and not g.extra]  # ``loss`` beside ``train_loss_q0`` is the whole
    of_training = {g.extra for g in losses if g.side in ("train", "") and g.extra}
    side = "val" if any(g.side == "val" for g in losses) else "test"
    val = [g for g in losses if g.side == side and (not g.extra or g.is_part or g.extra in of_training)]
    return [found for group in (train, val) if (found := _parts(group, tracks))]


def whole_of_training(losses: Iterable[Guess], tracks: Mapping[str, Track]) -> Track | None:
    """The one loss of training that is called by nothing but its side; None where it is in parts, or not there."""
    found = [tracks[g.track] for g in losses if g.side in ("train", "") and not g.extra and g.quantity == "loss"]
    return max(found, key=len, default=None)


def nearest(tracks: Iterable[Track], whole: Track) -> Track:
    """The one whose level is nearest that of training; the first where none shares steps with it."""
    return min(tracks, key=lambda track: _distance(track, whole))


def _distance(track: Track, whole: Track) -> float:
    """How many times higher or lower a curve is than another over the steps that they share, as a logarithm."""
    _, at, of = np.intersect1d(track.step, whole.step, return_indices=True)
    levels = [float(np.nanmedian(t.value[rows])) for t, rows in ((track, at), (whole, of)) if len(rows)]
    return abs(np.log(levels[0] / levels[1])) if len(levels) == 2 and min(levels) > 0 else np.inf


def _are_measures(total: Track, parts: Sequence[str], tracks: Mapping[str, Track]) -> bool:
    """Whether columns of validation measure the same thing in several ways: one is nearer training's than their sum.

    Where training logs one of them too, they are parts of its loss.
    """
    guesses = [g for name in tracks if (g := guess(name)) is not None]
    of_training = {g.extra for g in guesses if g.side in ("train", "")}
    whole = whole_of_training(guesses, tracks)
    if whole is None or any(g.extra in of_training for g in guesses if g.track in parts):
        return False
    return nearest([*(tracks[part] for part in parts), total], whole) is not total


def _parts(losses: Sequence[Guess], tracks: Mapping[str, Track]) -> tuple[str, ...]:
    """Of each part its longest column; empty where there is a whole, or fewer than two parts."""
    if any(not g.extra for g in losses) or sum(any(w in OF_AN_AGENT for w in g.extra) for g in losses) > 1:
        return ()
    longest: dict[tuple[str, ...], str] = {}
    for g in losses:
        if g.quantity == "loss" and len(tracks[g.track]) > len(tracks.get(longest.get(g.extra, ""), ())):
            longest[g.extra] = g.track
    return tuple(longest.values()) if len(longest) > 1 else ()


def _name(parts: Sequence[str], taken: Iterable[str]) -> str:
    name = " + ".join(parts) if len(parts) <= NAMED else f"{parts[0]} + {len(parts) - 1} more parts"
    while name in taken:
        name += "#"
    return name


def _sum(parts: Sequence[Track], name: str) -> Track | None:
    """What the parts add up to wherever all of them were logged; None where that is seldom."""
    first = parts[0]
    names = tuple(part.name for part in parts)
    if all(np.array_equal(part.step, first.step) for part in parts[1:]):
        total = np.sum([part.value for part in parts], axis=0)
        return replace(first, name=name, value=total, parts=names)
    lasts = [dict(zip(part.step.tolist(), range(len(part)), strict=True)) for part in parts]
    common = [step for step in lasts[0] if all(step in last for last in lasts[1:])]
    if len(common) < max(2, SHARED * max(map(len, lasts))):
        return None
    rows = [np.array([last[step] for step in common]) for last in lasts]
    total = np.sum([part.value[at] for part, at in zip(parts, rows, strict=True)], axis=0)
    time, session = ((None if cells is None else cells[rows[0]]) for cells in (first.time, first.session))
    return Track(name, first.step[rows[0]], total, time, session, parts=names)
