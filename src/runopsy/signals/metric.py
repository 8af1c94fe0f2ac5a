"""The score that a checkpoint is chosen by: asked for with --metric, named by the log itself, or the usual one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from runopsy.errors import BadOption
from runopsy.model import JUDGED, Role, Track
from runopsy.signals.curves import RARELY
from runopsy.signals.names import HIGHER, LOWER, QUALIFIERS, QUANTITIES, SIDE_OF, score_in, words
from runopsy.signals.numbered import of_training
from runopsy.signals.scores import BY_THEMSELVES, EVALUATED, preference

DIRECTIONS = {f":{way}": way for way in (HIGHER, LOWER)}  # --metric NAME:lower, where the name does not show it
SETTING = "metric_for_best_model"  # as Hugging Face calls it
BEST = "best"  # the word in a column's name that names what the best checkpoint was chosen by
FLAGS = ("is", "has", "new", "so", "far", "value", "metric", "checkpoint")  # words beside it that name no metric
SAME = {**SIDE_OF, **{word: what for what, known in QUANTITIES.items() for word in known}}  # accuracy: acc


def selected(
    roles: Sequence[Role], tracks: Mapping[str, Track], metric: str | None, config: Mapping[str, Any]
) -> tuple[Role, ...]:
    """The roles, with those of the score that is chosen by, of validation and of training.

    Raises:
        BadOption: ``metric`` names no column, several, or one whose better values nothing shows.
    """
    if metric is not None:
        return _asked(roles, tracks, metric)
    found = _by_the_settings(tracks, config) or _by_the_log(roles, tracks)
    if found is not None:
        roles = _chosen(roles, found, "the log's own best is by it")
    filled = {role.role for role in roles}
    for side in ("val", "train"):
        which = f"{side}/metric"
        candidates = [r for r in roles if r.track == which and not r.role]
        if candidates:
            roles = [replace(r, role=which, why=f"is called {which!r}") if r.track == which else r for r in roles]
        elif which not in filled and (candidates := _of(side, roles, tracks)):
            best = min(candidates, key=lambda r: (preference(r.track), -len(tracks[r.track])))
            why = f"names {score_in(best.track)}, a score to choose by: --metric NAME for another"
            roles = [replace(r, role=which, why=why) if r is best else r for r in roles]
    return tuple(roles)


def _of(side: str, roles: Sequence[Role], tracks: Mapping[str, Track]) -> list[Role]:
    """The columns without a role that hold a score of a side and are a curve.

    A score that names no side is of validation where the log has one, where it is logged more rarely than the loss
    of training, where nothing of training is, or where it takes a pass of its own, as of ranked or decoded answers,
    unless the same score is there with its side.
    """
    scores = [r for r in roles if not r.role and score_in(r.track) and len(tracks[r.track]) > 1]
    scores = [r for r in scores if not set(words(r.track)) <= {*BY_THEMSELVES, *QUALIFIERS, *SIDE_OF}]
    known = {_side(r.track) for r in roles} - {""}
    evaluated = bool({"val", "test"} & known)
    twins = {_bare(r.track) for r in roles if _side(r.track) in ("val", "test") and len(tracks[r.track]) > 1}
    trained = of_training(tracks)
    named = {r.track: "train" if r.track in trained else _side(r.track) for r in scores}
    loss = next((tracks[r.track] for r in roles if r.role == "train/loss"), None)
    alone = not any(r.role in JUDGED or r.role == "reward" or r.role.startswith("player/") for r in roles)
    for r in scores:
        if not named[r.track]:
            rare = loss is not None and len(tracks[r.track]) <= RARELY * len(loss)
            evaluates = evaluated or rare or alone or score_in(r.track) in EVALUATED
            named[r.track] = "val" if evaluates and _bare(r.track) not in twins else "train"
    if side == "val":
        return [r for r in scores if named[r.track] == "val"] or [r for r in scores if named[r.track] == "test"]
    return [r for r in scores if named[r.track] == "train"]


def _side(name: str) -> str:
    return next((SIDE_OF[word] for word in reversed(words(name)) if word in SIDE_OF), "")


def _bare(name: str) -> tuple[str, ...]:
    return tuple(word for word in words(name) if word not in SIDE_OF)


# --- what --metric and the log give ----------------------------------------------------------------


def _asked(roles: Sequence[Role], tracks: Mapping[str, Track], metric: str) -> tuple[Role, ...]:
    name, way = next(((metric.removesuffix(end), way) for end, way in DIRECTIONS.items() if metric.endswith(end)),
                     (metric, ""))  # fmt: skip
    column = _column(name, roles, tracks)
    role = next(r for r in roles if r.track == column)
    better = way or role.better
    if not better:
        raise BadOption(
            f"--metric {column}: its name does not show whether higher values are better",
            hint=f"--metric {column}:higher or --metric {column}:lower",
        )
    return tuple(_chosen([replace(r, better=better) if r is role else r for r in roles], column, "--metric"))


def _column(name: str, roles: Sequence[Role], tracks: Mapping[str, Track]) -> str:
    """The one column that is meant: by its name, its role, or words that it alone has.

    Raises:
        BadOption: there is none, or there are several.
    """
    if name in tracks:
        return name
    wanted = words(name)
    fitting = [r.track for r in roles if r.role == name or r.track.casefold() == name.casefold()]
    logged = [track for track in tracks if not tracks[track].parts]
    fitting = fitting or [track for track in logged if words(track) == wanted]
    fitting = fitting or [track for track in logged if wanted and _holds(words(track), wanted)]
    if len(fitting) == 1:
        return fitting[0]
    several = f"fits {len(fitting)} columns" if fitting else "is no column of this log"
    raise BadOption(f"--metric {name} {several}", hint=f"columns: {_some(fitting or tracks)}")


def _holds(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return any(list(parts[i : i + len(wanted)]) == list(wanted) for i in range(len(parts)))


def _some(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(name[:40] for name in every[:12]) + (" …" if len(every) > 12 else "")


def _chosen(roles: Sequence[Role], column: str, why: str) -> list[Role]:
    """The column is chosen by; it plays val/metric unless it has a role of its own."""
    chosen = next(r for r in roles if r.track == column)
    if chosen.role and chosen.role != "val/metric":
        return [replace(r, chosen=True, why=f"{r.why}; {why}") if r is chosen else r for r in roles]
    freed = [replace(r, role="", why="no role") if r.role == "val/metric" and r is not chosen else r for r in roles]
    return [replace(r, role="val/metric", chosen=True, why=why) if r is chosen else r for r in freed]


def _by_the_settings(tracks: Mapping[str, Track], config: Mapping[str, Any]) -> str | None:
    """The column that the settings of the run choose the best checkpoint by."""
    setting = config.get(SETTING)
    names = (setting, f"eval_{setting}") if isinstance(setting, str) else ()
    return next((name for name in names if name in tracks), None)


def _meant(name: str) -> set[str]:
    """The words of a name, one word for all that mean the same."""
    return {SAME.get(word, word) for word in words(name)}


def _by_the_log(roles: Sequence[Role], tracks: Mapping[str, Track]) -> str | None:
    """The column that a column such as best_val_f1 or valid_loss_best is the best of, where it is one alone."""
    evaluated = {_bare(r.track) for r in roles if _side(r.track) in ("val", "test")}
    trained = {r.track for r in roles if not _side(r.track) and _bare(r.track) in evaluated}  # ppl beside val_ppl
    trained |= {r.track for r in roles if _side(r.track) == "train" or r.role.startswith("train/")}
    directed = [r for r in roles if (r.better or r.role) and BEST not in words(r.track) and len(tracks[r.track]) > 1]
    directed = [r for r in directed if r.track not in trained]
    for name in tracks:
        parts = words(name)
        if BEST not in parts or not len(tracks[name]):
            continue
        wanted = {SAME.get(word, word) for word in parts if word not in (BEST, *FLAGS)}
        fitting = [r for r in directed if wanted and wanted <= _meant(r.track)]
        exact = [r for r in fitting if wanted == _meant(r.track)]
        judged = [r.track for r in exact or fitting]
        if len(judged) == 1 and np.isfinite(tracks[judged[0]].value).any():
            return judged[0]
    return None
