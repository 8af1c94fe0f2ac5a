"""runopsy explain: what a name on screen means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Config, Preset
from runopsy.cli.shared import in_color, show, terminal_width, tuned_standards
from runopsy.errors import BadOption

if TYPE_CHECKING:
    from pathlib import Path

    from runopsy.report.explaining import Subject


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Any name in a report: a rule, a kind of event, a phase, a verdict, a signal, a threshold, a format. "
            "Without it, all names.",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Explain anything that stands on screen: what it is, what decides it, and what it does not mean."""
    from runopsy.report import terminal
    from runopsy.report.explaining import index, named, nearest

    known = explained(config)
    if name is None or name == "all":
        found = [index(known)]
    else:
        subjects = named(name, known) or [one for one in known if f"{one.sort}s" == name.lower()]
        found = [one.document for one in subjects]
    if not found and name is not None:
        raise _unknown(name, nearest(name, known), known)
    show("\n".join(terminal.render(one, width=terminal_width(), color=in_color(False)) for one in found))


def explained(config: Path | None = None) -> tuple[Subject, ...]:
    """Everything that can be explained, with thresholds as the settings have them."""
    from runopsy.report.explaining import subjects
    from runopsy.settings import load
    from runopsy.standards import values
    from runopsy.verdicts import VERDICTS

    chosen = load(config)
    rules = {one.code: one for preset in Preset for one in tuned_standards(chosen, preset).rules}
    reasons: dict[str, list[str]] = {}
    for row in VERDICTS:
        reasons.setdefault(row.verdict, []).extend([row.why] if isinstance(row.why, str) else [])
    limits = tuned_standards(chosen, None).limits
    return subjects(tuple(rules.values()), values(limits), reasons, formats())


def formats() -> dict[str, Callable[[], str]]:
    """Name of a format → what gives the text about it; a module is imported when it is asked for."""
    from runopsy import store
    from runopsy.readers import READERS
    from runopsy.readers.reader import Format

    own = {"run_folder": lambda: store.__doc__ or ""}
    return own | {reader.name: reader.about for reader in READERS if isinstance(reader, Format)}


def _unknown(name: str, near: Sequence[str], known: Sequence[Subject]) -> BadOption:
    from runopsy.cli import COMMANDS
    from runopsy.standards import old_threshold

    now = old_threshold(name)
    if now:
        return BadOption(f"there is no threshold {name!r} any more: it is now {' or '.join(now)}",
                         hint=f"runopsy explain {now[0]}")  # fmt: skip
    if name in {command.name for command in COMMANDS}:
        return BadOption(f"{name} is a command, and no name in a report", hint=f"runopsy {name} --help")
    if near:
        hint = f"did you mean {' or '.join(near)}? runopsy explain lists all names"
    else:
        codes = ", ".join(one.name for one in known if one.sort == "rule")
        hint = f"runopsy explain lists all names; rules: {codes}"
    return BadOption(f"nothing is called {name!r}", hint=hint)
