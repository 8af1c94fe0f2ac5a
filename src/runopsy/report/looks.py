"""The colours of figures and pages, light and dark; none is needed to keep things apart: place or name does too.

Text colours have a contrast of at least 4.5 to 1 on their ground, curves of at least 3 to 1 (WCAG 2.2, 1.4.3 and
1.4.11); tests/report/test_looks.py computes it.
"""

from __future__ import annotations

from collections.abc import Mapping

PAPER: Mapping[str, tuple[str, str]] = {  # name → light, dark
    "paper": ("#ffffff", "#14171c"),
    "ink": ("#1b1f24", "#e6e8eb"),
    "faint": ("#5b6470", "#a3acb8"),
    "rule": ("#d7dce2", "#333a44"),
}
# Grounds of bands: dark ink is read on the light ones, light ink on the dark ones.
PHASES: Mapping[str, tuple[str, str]] = {
    "underfitting": ("#dfe3e8", "#3a424d"),
    "feature_learning": ("#bfe6cb", "#1f5136"),
    "memorization": ("#ffdf9e", "#6b4a0c"),
    "converged": ("#bfe3f2", "#1b4a5e"),
    "fitting": ("#cdd6fb", "#303f7d"),
    "diverged": ("#ffc9c4", "#7a2520"),
    "other": ("#e8e4f0", "#40384f"),
}
TONES: Mapping[str, tuple[str, str]] = {
    "good": ("#1a7038", "#5fd08a"),
    "warn": ("#8a5a00", "#f0b84a"),
    "bad": ("#b3261e", "#ff8f86"),
    "plain": ("#3c4654", "#c3cad3"),
}
CURVES: tuple[tuple[str, str], ...] = (
    ("#1f5fd0", "#7fb0ff"),  # training
    ("#c2410c", "#ff9d5c"),  # validation
    ("#7a3fb0", "#cda3f5"),
    ("#0f7a70", "#4fd0c2"),
    ("#8a6d00", "#e3c75a"),
)
DASHES = ("", "", "6 3", "2 3", "8 3 2 3")  # beside the colour; the first two differ in width


def curve(name: str, k: int) -> int:
    """The colour of the ``k``-th curve of a chart: training and validation always look the same."""
    side = name.split("/", maxsplit=1)[0].split(".", maxsplit=1)[0]
    if side == "eval":  # the same in evaluation mode
        side = "train" if name.endswith("_train") else "val"
    return {"train": 0, "val": 1}.get(side, 2 + k % (len(CURVES) - 2))


def phase(kind: str) -> str:
    return kind if kind in PHASES else "other"


def both(selector: str, media: str = "") -> str:
    """A style sheet that gives what the selector names the colours of the reader's choice, light or dark."""
    asked = f"@media {media}(prefers-color-scheme:dark)"
    return f"{selector}{{{variables(dark=False)}}}{asked}{{{selector}{{{variables(dark=True)}}}}}"


def variables(dark: bool) -> str:
    """The colours as CSS custom properties."""
    tables = (PAPER.items(), PHASES.items(), TONES.items(), ((f"curve{k}", pair) for k, pair in enumerate(CURVES)))
    return "".join(f"--{name}:{pair[dark]};" for table in tables for name, pair in table)
