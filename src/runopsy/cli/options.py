"""The options that commands share, and the words they take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    text = "text"
    markdown = "markdown"
    html = "html"
    json = "json"


class Listing(StrEnum):
    text = "text"
    json = "json"


class Preset(StrEnum):
    default = "default"
    classic = "classic"


class Cutter(StrEnum):
    exact = "exact"
    ruptures = "ruptures"


class Alignment(StrEnum):
    step = "step"
    epoch = "epoch"
    time = "time"
    tokens = "tokens"
    loss = "loss"
    phase = "phase"


class Suffix(StrEnum):
    pdf = "pdf"
    svg = "svg"
    png = "png"


class Tracker(StrEnum):
    tensorboard = "tensorboard"
    wandb = "wandb"
    mlflow = "mlflow"
    csv = "csv"
    parquet = "parquet"


class Axis(StrEnum):
    step = "step"
    epoch = "epoch"
    time = "time"
    tokens = "tokens"
    samples = "samples"


VERSUS = "vs"  # a word, as an option could not take the many paths that a shell makes of one pattern

RunPath = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run folder, a log file, a folder that holds one, or - (CSV or JSON lines on stdin)."
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="ROLE=COLUMN", help="Set which column plays a role, e.g. val/loss=eval_nll. Repeatable."
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="The column to choose the best step by, e.g. mAP50-95; NAME:lower, NAME:higher.",
    ),
]
Which = Annotated[
    str | None,
    typer.Option("--run", metavar="N|NAME|all", help="Which of several runs; 1+2 joins two, all takes each in turn."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings (TOML). Default: [tool.runopsy] of ./pyproject.toml."),
]
LibraryFile = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="FILE",
        help="Compare the run with this library. Default: library of the settings, else ./runopsy-library.sqlite.",
    ),
]
RunKind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help='What the library calls such runs, "ARCHITECTURE on DATA". Default: from the settings in the log.',
    ),
]
Checklist = Annotated[
    bool,
    typer.Option(
        "--checklist", help="Also eight questions on how the run was watched, answered from the log where it can."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write here instead of to the screen; - is the screen."),
]
Rules = Annotated[
    Preset | None,
    typer.Option(
        "--rules", help="classic checks the original threshold rule (B01) in place of the calibrated one (B02)."
    ),
]
Segmenters = Annotated[
    Cutter | None,
    typer.Option(
        "--segmenter", help="How curves are segmented: exact, or ruptures as [segmenter] in the settings sets it."
    ),
]
Gpus = Annotated[
    float | None, typer.Option("--gpus", min=0, help="GPUs that trained a run: shows its time in GPU-hours.")
]
Price = Annotated[float | None, typer.Option("--price", min=0, help="Price of one GPU-hour: shows its time in money.")]
Formats = Annotated[Format | None, typer.Option("--format", "-f", help="Default: by the ending of --output.")]
Axes = Annotated[Axis | None, typer.Option("--x", help="Count by this instead of the log's own axis.")]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Also the evidence, rules that were not checked or found nothing, thresholds, other signals.",
    ),
]
NoColor = Annotated[bool, typer.Option("--no-color", help="Plain text also on a terminal (NO_COLOR does the same).")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks on stderr.")]
