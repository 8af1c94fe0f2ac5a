"""What a user prefers: a TOML file, or ``[tool.runopsy]`` of the pyproject.toml in the working directory.

::

    x = "epoch"
    metric = "mAP50-95"
    preset = "classic"
    library = "runs.sqlite"
    [map]
    "val/loss" = "eval_nll"
    [thresholds]
    late_gain = 0.2
    [thresholds."grad/norm"]
    outlier = 20
    [segmenter]
    search = "Pelt"
    cost = "l2"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runopsy.errors import BadOption

KEYS = ("map", "x", "metric", "preset", "thresholds", "segmenter", "library")
OLD_KEYS = ("rules",)  # thresholds were once set by rule: whoever uses them is shown the present names


@dataclass(frozen=True, slots=True)
class Settings:
    """Overrides; empty means the defaults. It knows neither roles nor rules: who uses a value checks it."""

    roles: Mapping[str, str] = field(default_factory=dict)
    x: str | None = None
    preset: str | None = None  # of rules
    thresholds: Mapping[str, Any] = field(default_factory=dict)  # threshold → value, or signal → threshold → value
    metric: str | None = None  # the column to choose the best step by
    rules: Mapping[str, Any] = field(default_factory=dict)  # of older versions: code → threshold → value
    segmenter: Mapping[str, Any] = field(default_factory=dict)  # of ruptures: search, cost, penalty
    library: str | None = None  # the file of the library, from the working directory


def load(path: Path | None = None) -> Settings:
    """The settings in a file; without one, those of ./pyproject.toml if it has any.

    Raises:
        BadOption: the file is missing, is no TOML, or has a key that means nothing.
    """
    if path is not None:
        return _settings(_parse(path), path)
    project = Path("pyproject.toml")
    if not project.is_file():
        return Settings()
    tool = _parse(project).get("tool", {})
    return _settings(tool.get("runopsy", {}) if isinstance(tool, dict) else {}, project)


def _parse(path: Path) -> dict[str, Any]:
    import tomllib  # most folders hold no settings

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise BadOption(f"{path} cannot be read: {cause.strerror}", hint="give the path of a TOML file") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise BadOption(f"{path} is no TOML: {cause}", hint="see https://toml.io for its grammar") from cause


def _settings(content: Mapping[str, Any], path: Path) -> Settings:
    unknown = sorted(set(content) - {*KEYS, *OLD_KEYS})
    if unknown:
        raise BadOption(f"{path}: no setting is called {', '.join(unknown)}", hint=f"settings: {', '.join(KEYS)}")
    roles, thresholds, rules, segmenter = (content.get(key, {}) for key in ("map", "thresholds", "rules", "segmenter"))
    if not all(isinstance(table, dict) for table in (roles, thresholds, rules, segmenter)):
        raise BadOption(
            f"{path}: map, thresholds and segmenter are tables",
            hint='write [map], [thresholds] and [segmenter] with "key = value" below',
        )
    named = {str(k): str(v) for k, v in roles.items()}
    words = {key: content.get(key) for key in ("x", "preset", "metric", "library")}
    return Settings(named, thresholds=thresholds, rules=rules, segmenter=segmenter, **words)
