"""What was set differently: two lots of configs → the keys that differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runopsy.model import Autopsy, ConfigDiff

# The last words of keys that name a run, a place or a time, and change from run to run without any effect on it.
NOISE = re.compile(
    r"(^|[./])((out|output|log|logging|save|saving|run|work|working|checkpoint|ckpt|cache|results?|exp|experiment)"
    r"_?(dir|directory|path|folder|root|file|name|id|url)|hostname|user(name)?|pid|uuid|job_?id|gpu_?id|local_rank"
    r"|timestamp|datetime|created(_at)?|started(_at)?|ended(_at)?|(start|end)_time|_wandb\b.*|wandb_version)$"
    r"|^(name|id|run|host|url|dir|date|tags|notes|group|project)$",  # as part of a longer key they may mean a model
    re.IGNORECASE,
)
SEED = re.compile(r"(^|[._/-])(\w+_)?(seed|random_state|rng)$", re.IGNORECASE)
MISSING = "(not set)"


def compare_configs(a: Sequence[Autopsy], b: Sequence[Autopsy]) -> ConfigDiff:
    """Differing keys only. A key that takes the same values on both sides, run by run or not, is equal."""
    before, after = ([flat(x.run.config) for x in side] for side in (a, b))
    keys = sorted({key for one in (*before, *after) for key in one})
    values = {key: tuple(tuple(one.get(key, MISSING) for one in side) for side in (before, after)) for key in keys}
    differing = {key: (pair[0], pair[1]) for key, pair in values.items() if _distinct(pair[0]) != _distinct(pair[1])}
    kept = {key: pair for key, pair in differing.items() if not NOISE.search(key)}
    return ConfigDiff(
        differing=kept,
        equal=len(keys) - len(differing),
        left_out=tuple(key for key in differing if key not in kept),
        seeds=tuple(key for key in kept if SEED.search(key)),
        known=any(before) and any(after),
    )


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys; an empty table is a value."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return found


def _distinct(values: Sequence[Any]) -> set[str]:
    """Values as text, so that 1 and 1.0 are one and lists can be compared with each other."""
    return {json.dumps(_even(v), sort_keys=True, default=str) for v in values}


def _even(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_even(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
