"""What several commands share: the run that is meant, the settings, and where a text goes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, TypeVar

import typer

from runopsy.cli.options import Axis, Cutter, Format, Preset
from runopsy.errors import BadOption, RunopsyError, UnreadableLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runopsy.model import Autopsy, Run
    from runopsy.report import Subject
    from runopsy.report.document import Block
    from runopsy.segments import Segmenter
    from runopsy.settings import Settings
    from runopsy.standards import Standards

T = TypeVar("T")


def each_run(path: str, which: str | None, verb: Callable[[Run], T]) -> Iterator[T]:
    """What a verb makes of the run that is meant, or of each in turn; what cannot be judged among many is reported.

    Raises:
        UnreadableLog: there are several runs, now listed on stderr, and none was chosen; or none can be read.
        RunopsyError: as the verb raises of the one run that is meant.
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
            complain(candidate.name, error)
        else:
            done += 1
            yield made
    if not done:
        raise UnreadableLog(f"none of the {len(chosen)} runs of {path} can be judged", hint="the reasons stand above")


def joined(texts: list[str], which: str | None, format: Format) -> str:
    """One report, or with --run all those of every run: in JSON, a list of objects."""
    if format is Format.json and which == "all":
        return "[\n" + ",\n".join(text.rstrip("\n") for text in texts) + "\n]\n"
    return "\n".join(texts)


@dataclass(frozen=True, slots=True)
class Asked:
    """How runs are to be examined: the options of a command over the settings."""

    roles: Mapping[str, str]
    axis: str | None
    metric: str | None
    standards: Standards
    segmenter: Segmenter


def asked(
    mapping: list[str] | None,
    metric: str | None,
    x: Axis | None,
    config: Path | None,
    rules: Preset | None,
    segmenter: Cutter | None,
) -> Asked:
    """What the options ask for, settled once for all runs."""
    from runopsy.settings import load

    chosen = load(config)
    return Asked(
        roles=roles_of(chosen, mapping),
        axis=x.value if x else chosen.x,
        metric=metric or chosen.metric,
        standards=tuned_standards(chosen, rules),
        segmenter=segmenter_of(chosen, segmenter),
    )


def autopsy_of(run: Run, how: Asked) -> Autopsy:
    """The examination of a run as it is asked for."""
    from runopsy.autopsy import analyze as examine

    return examine(
        run, roles=how.roles, x=how.axis, metric=how.metric, standards=how.standards, segmenter=how.segmenter
    )


def among_its_kind(
    run: Run, how: Asked, library: Path | None, kind: str | None, *, checklist: bool, in_json: bool
) -> tuple[Autopsy, tuple[Block, ...]]:
    """The examination of a run, with the checklist where it is asked for; and where a library is, its place in it."""
    one, found = autopsy_of(run, how), None
    if library is not None:
        from runopsy.study.kinship import among, with_baselines
        from runopsy.study.library import Library

        with Library(library, must_exist=True) as shelf:
            found = among(one, shelf, kind)
        if found.baselines:
            one = autopsy_of(run, replace(how, standards=with_baselines(how.standards, found)))
    if checklist:
        from runopsy.checklist import Kept, answered

        kept = None if found is None else Kept(found.kind, found.runs, len(found.baselines))
        one = replace(one, checklist=answered(one, kept))
    if found is None:
        return one, ()
    from runopsy.study.library_words import section, sentence

    noted = replace(one, notes=(*one.notes, sentence(found))) if in_json else one  # other formats have the section
    return noted, section(found)


def is_json(format: Format | None, output: Path | None) -> bool:
    """Whether a result is asked for as data, by its format or by the name of its file."""
    return format is Format.json or (format is None and is_file(output) and output.suffix == ".json")


def segmenter_of(chosen: Settings, cutter: Cutter | None) -> Segmenter:
    """What --segmenter names; without it, ruptures where the settings describe it."""
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


def roles_of(chosen: Settings, mapping: list[str] | None) -> dict[str, str]:
    """Which column plays which role: as --map has it, else the settings."""
    return {**chosen.roles, **role_pairs(mapping)}


def role_pairs(mapping: list[str] | None) -> dict[str, str]:
    """Role → column, as --map has it.

    Raises:
        BadOption: a pair that is none.
    """
    pairs = {}
    for pair in mapping or []:
        role, equals, column = pair.partition("=")
        if not (role and equals and column):
            raise BadOption(f"--map {pair!r} is no ROLE=COLUMN", hint="for example --map val/loss=eval_nll")
        pairs[role] = column
    return pairs


def deliver(
    found: Subject,
    output: Path | None,
    format: Format | None,
    *,
    no_color: bool,
    verbose: bool = False,
    quiet: bool = False,
    gpus: float | None = None,
    price: float | None = None,
) -> None:
    """A result into the file that is meant, or on the screen."""
    from runopsy.report import render, save

    if is_file(output):
        report_written(save(found, output, format, gpus=gpus, price=price), quiet)
        return
    shown, width, color = (format or Format.text).value, terminal_width(), in_color(no_color)
    show(render(found, shown, width=width, color=color, verbose=verbose, gpus=gpus, price=price))


def end_if(hit: Sequence[str]) -> None:
    """Exit with 1 where something matched --fail-on."""
    if hit:
        typer.echo(f"--fail-on matched: {', '.join(hit)}", err=True)
        raise typer.Exit(1)


def complain(name: str, error: RunopsyError) -> None:
    """What is so of one of several runs, while the others go on."""
    typer.echo(f"runopsy: {name}: {error.message}", err=True)


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
