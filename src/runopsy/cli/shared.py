"""What several commands share: the run that is meant, the settings, and where a text goes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, TypeVar

import typer

from runopsy.cli.options import Axis, Cutter, Format, Preset
from runopsy.errors import BadOption, RunopsyError, UnreadableLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runopsy.model import Autopsy, Run
    from runopsy.segments import Segmenter
    from runopsy.settings import Settings
    from runopsy.standards import Standards
    from runopsy.study.kinship import Kinship

T = TypeVar("T")


def each_run(path: str, which: str | None, verb: Callable[[Run], T]) -> Iterator[T]:
    """What a verb makes of the run that is meant, or of each in turn; what cannot be judged among many is said.

    Raises:
        UnreadableLog: there are several runs, now listed on stderr, and none was chosen; or none can be read.
        RunopsyError: as the verb says of the one run that is meant.
    """
    from runopsy.readers import run_selection, runs

    found = runs(path)
    if which is None and len(found) > 1:
        from runopsy.report.listing import runs_table

        typer.echo(runs_table(path, list(run_selection.glances(found)), width=terminal_width()), err=True, nl=False)
    chosen = run_selection.chosen(found, which, path)
    if which != run_selection.ALL:
        yield from (verb(candidate.read()) for candidate in chosen)
        return
    done = 0
    for candidate in chosen:
        try:
            made = verb(candidate.read())
        except RunopsyError as error:
            typer.echo(f"runopsy: {candidate.name}: {error.message}", err=True)
        else:
            done += 1
            yield made
    if not done:
        raise UnreadableLog(f"none of the {len(chosen)} runs of {path} can be judged", hint="what is so stands above")


def joined(texts: list[str], which: str | None, format: Format) -> str:
    """One report, or with --run all those of every run: in JSON, a list of objects."""
    if format is Format.json and which == "all":
        return "[\n" + ",\n".join(text.rstrip("\n") for text in texts) + "\n]\n"
    return "\n".join(texts)


def autopsy_of(
    run: Run,
    mapping: list[str] | None,
    metric: str | None,
    x: Axis | None,
    config: Path | None,
    rules: Preset | None,
    segmenter: Cutter | None,
    kin: Kinship | None = None,
) -> Autopsy:
    """The examination that the options ask for; with ``kin``, classic baselines are those of its kind."""
    from runopsy.autopsy import analyze as examine
    from runopsy.settings import load

    chosen = load(config)
    roles = {**chosen.roles, **role_pairs(mapping)}
    axis, score = x.value if x else chosen.x, metric or chosen.metric
    cutter = segmenter_of(chosen, segmenter)
    standards = tuned_standards(chosen, rules)
    if kin is not None:
        from runopsy.study.kinship import with_baselines

        standards = with_baselines(standards, kin)
    return examine(run, roles=roles, x=axis, metric=score, standards=standards, segmenter=cutter)


def segmenter_of(chosen: Settings, cutter: Cutter | None) -> Segmenter:
    """What --segmenter says; without it, ruptures where the settings describe it."""
    from runopsy.segments import EXACT

    if cutter is Cutter.exact or (cutter is None and not chosen.segmenter):
        return EXACT
    from runopsy.segments.by_ruptures import segmenter

    return segmenter(chosen.segmenter)


def tuned_standards(chosen: Settings, rules: Preset | None) -> Standards:
    from runopsy.rules import PRESETS
    from runopsy.standards import Standards, refuse_old, tuned

    preset = rules or chosen.preset or Preset.default
    if preset not in PRESETS:
        raise BadOption(f"there is no preset of rules {preset!r}", hint=f"presets: {', '.join(PRESETS)}")
    refuse_old(chosen.rules)
    return tuned(Standards(rules=PRESETS[preset]), chosen.thresholds)


def library_path(given: Path | None, config: Path | None) -> Path:
    """The library that is meant: --library, that of the settings, or the usual file in this folder."""
    from runopsy.settings import load
    from runopsy.study.library import USUAL

    named = load(config).library
    return given or (Path(named) if named else USUAL)


def role_pairs(mapping: list[str] | None) -> dict[str, str]:
    pairs = {}
    for pair in mapping or []:
        role, equals, column = pair.partition("=")
        if not (role and equals and column):
            raise BadOption(f"--map {pair!r} is no ROLE=COLUMN", hint="for example --map val/loss=eval_nll")
        pairs[role] = column
    return pairs


def in_color(no_color: bool) -> bool:
    return sys.stdout.isatty() and not no_color and "NO_COLOR" not in os.environ


def terminal_width() -> int | None:
    """The terminal's width; a pipe gets the default."""
    return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None


def is_file(output: Path | None) -> TypeGuard[Path]:
    return output is not None and str(output) != "-"


def report_written(paths: tuple[Path, ...], quiet: bool) -> None:
    for path in () if quiet else paths:
        typer.echo(f"wrote {path}", err=True)


def show(text: str) -> None:
    """Results go to stdout; what the terminal cannot encode comes in ASCII."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        from runopsy.report.terminal import ASCII

        text = text.translate(ASCII).encode(encoding, errors="replace").decode(encoding)
    sys.stdout.write(text)
