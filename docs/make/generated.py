"""Pages of the manual that are made of the program's own tables, so that nothing is defined twice."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

import runopsy  # noqa: E402
from kinds_planted import draw  # noqa: E402
from runopsy import cli, confidence  # noqa: E402
from runopsy.cli.explain import explained  # noqa: E402
from runopsy.glossary import PHASES, VERDICTS, Term  # noqa: E402
from runopsy.kinds import KINDS, RENAMED, Kind  # noqa: E402
from runopsy.report import markdown, pictures, svg  # noqa: E402
from runopsy.report.explaining import Subject  # noqa: E402
from runopsy.rules import PRESETS  # noqa: E402
from runopsy.signal_specs import DERIVED, LOGGED, RECORDED  # noqa: E402
from runopsy.standards import Standards  # noqa: E402
from runopsy.thresholds import THRESHOLDS  # noqa: E402

MEASURED = ROOT / "docs" / "measured"
SAMPLES = ROOT / "sample_logs"
SEEDS = range(5)  # of the planted runs, the first whose event is found is drawn


SIMPLER = (
    "Planted runs are simpler than real ones: read the recall as what the rule can do where the event is as its "
    "definition states. `make figures-of-kinds` counts again."
)
EVENTS = (
    "An event is something that happened at one place of the run. Recall is the share of planted runs in which it is "
    "found at its place; false alarms are counted on runs without any event."
)
SETTINGS = """Each number that decides stands once. Change one under `[thresholds]` of a TOML file (`--config`), or of
`[tool.runopsy]` in pyproject.toml; a table named after a signal changes it for that signal alone.

```toml
[thresholds]
late_gain = 0.2
[thresholds."grad/norm"]
outlier = 20
```"""
FORMATS = (
    "A log is recognised by its content, never by its name alone, and no tracker needs to be installed. Nothing in a "
    "log is executed or unpickled. They are asked in this order; the first that recognises a log reads it. A package "
    "can add a reader through the entry point `runopsy.readers`, see [Contribute](contribute.md)."
)
COMMANDS = (
    "What `runopsy COMMAND --help` prints. Exit codes: 0 done, 1 `--fail-on` matched, 2 could not judge, 3 a fault of "
    "its own."
)


class Unfinished(Exception):
    """The manual lacks something that it must have."""


def pages() -> Iterator[tuple[str, str]]:
    """(path in the manual, content) of every generated page and picture."""
    known = explained()
    figures = json.loads((MEASURED / "kinds.json").read_text(encoding="utf-8"))["kinds"]
    for kind in KINDS.values():
        yield f"events/{kind.name}.md", _event_page(kind, known, figures)
        yield f"events/{kind.name}.svg", _picture_of(kind)
    yield "events/index.md", _event_index(figures)
    yield "signals.md", _signals(known)
    yield "thresholds.md", _thresholds()
    yield "rules.md", _all_of("rule", "Rules", known, "Each rule asks one question of every run.")
    yield "formats.md", _formats(known)
    yield "glossary.md", _glossary(known)
    yield "commands.md", _commands()
    for sample in sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()):
        yield f"pictures/{sample}.svg", _drawn(runopsy.analyze(SAMPLES / sample))


def kinds_in_nav() -> list[str]:
    """The pages of the kinds, in the order of the table."""
    return [f"events/{kind}.md" for kind in KINDS]


# --- events --------------------------------------------------------------------------------------


def _event_page(kind: Kind, known: tuple[Subject, ...], figures: Mapping[str, Any]) -> str:
    n = figures.get(kind.name)
    if n is None:
        raise Unfinished(f"docs/measured/kinds.json has no figures of {kind.name}: run make figures-of-kinds")
    subject = next(one for one in known if one.name == kind.name and one.sort == "event kind")
    return "\n\n".join(
        [
            _about(subject).replace("\n\n", f"\n\n`{kind.name}`: ", 1),
            f"![A planted run with {kind.title}]({kind.name}.svg)",
            "The picture is a planted run, drawn by the program when this page was built.",
            "## How often it is right",
            _figures(n),
            SIMPLER,
        ]
    )


def _figures(n: Mapping[str, int]) -> str:
    recall = f"Found in **{n['found']} of {n['planted']}** planted runs."
    if not n["asked"]:
        return f"{recall} False alarms are not counted: the rule reports a measurement wherever it can be made."
    return (
        f"{recall} Raised in **{n['alarms']} of {n['asked']}** runs without any event in which the rule could be asked."
    )


def _picture_of(kind: Kind) -> str:
    for seed in SEEDS:
        story = draw(kind.name, seed)
        autopsy = runopsy.analyze(story.run, standards=Standards(rules=PRESETS[story.rules]))
        if any(event.kind == kind.name for event in autopsy.events):
            return _drawn(autopsy)
    raise Unfinished(f"no planted run of {kind.name} shows it: see tests/benchmarks/kinds_planted.py")


def _drawn(autopsy: runopsy.Autopsy) -> str:
    picture = pictures.picture(autopsy)
    if picture is None:
        raise Unfinished(f"nothing to draw of {autopsy.run.path}")
    return svg.render(picture)


def _event_index(figures: Mapping[str, Any]) -> str:
    rows = [
        f"| [{kind.title}]({kind.name}.md) | {kind.sentence} | {_share(n['found'], n['planted'])} "
        f"| {_share(n['alarms'], n['asked'])} |"
        for kind in KINDS.values()
        for n in [figures[kind.name]]
    ]
    old = "; ".join(f"`{was}` is now `{now}`" for was, now in RENAMED.items())
    return "\n".join(
        [
            "# Events",
            "",
            EVENTS,
            "",
            "| event | what it is | recall | false alarms |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            f"Names of version 0.1: {old}.",
            "",
        ]
    )


def _share(part: int, whole: int) -> str:
    return f"{part} / {whole}" if whole else "not counted"


# --- reference -----------------------------------------------------------------------------------


def _about(subject: Subject, level: int = 1) -> str:
    """The subject as runopsy explain prints it, with its headings below ``level``."""
    _, _, text = markdown.render(subject.document).partition("\n\n")
    title = f"# {_headed(subject)}\n\n{text}"
    return re.sub(r"^(#+) ", lambda found: "#" * (len(found[1]) + level - 1) + " ", title, flags=re.MULTILINE).rstrip()


def _headed(subject: Subject) -> str:
    """The heading of a subject: its name as one writes it, and what it is in plain words."""
    named = subject.title.lower() in (subject.name.lower(), subject.name.replace("_", " ").lower())
    if subject.sort in ("term", "event kind"):
        return subject.title.capitalize()
    return f"`{subject.name}`" + ("" if named else f": {markdown.escape(subject.title)}")


def _all_of(sort: str, title: str, known: tuple[Subject, ...], intro: str) -> str:
    parts = [_about(one, 2) for one in known if one.sort == sort]
    return "\n\n".join([f"# {title}", intro, *parts])


def _signals(known: tuple[Subject, ...]) -> str:
    by_name = {one.name: one for one in known if one.sort == "signal"}
    parts = [
        "# Signals",
        "The same text as `runopsy explain NAME` prints. `NAME/se` is one standard error of a reading.",
    ]
    for title, rows in (("Logged by the training loop", LOGGED), ("Recorded", RECORDED), ("Derived", DERIVED)):
        parts += [f"## {title}", *(_about(by_name[row.name], 3) for row in rows)]
    return "\n\n".join(parts)


def _thresholds() -> str:
    rows = [
        f"| `{one.name}` | {one.value:g} | {markdown.escape(one.unit)} | {one.low:g} to {one.high:g} "
        f"| {markdown.escape(one.reason)} | {markdown.escape(one.source)} |"
        for one in THRESHOLDS
    ]
    return "\n".join(
        [
            "# Thresholds",
            "",
            SETTINGS,
            "",
            "| name | value | unit | may be | what it decides | source |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _formats(known: tuple[Subject, ...]) -> str:
    return _all_of("format", "Formats that are read", known, FORMATS)


def _glossary(known: tuple[Subject, ...]) -> str:
    parts = ["# Glossary", "Every word that a report uses in its own sense."]
    for sort, title in (("term", "Terms"), ("phase", "Phases"), ("verdict", "Verdicts")):
        parts += [f"## {title}", *(_about(one, 3) for one in known if one.sort == sort)]
    return "\n\n".join(parts)


def _commands() -> str:
    """What ``--help`` prints of each command."""
    from typer.testing import CliRunner

    parts = ["# Commands", COMMANDS]
    for command in cli.COMMANDS:
        shown = CliRunner().invoke(cli.application(cli.COMMANDS), [command.name, "--help"], env={"COLUMNS": "96"})
        parts += [f"## runopsy {command.name}", f"```text\n{shown.output.strip()}\n```"]
    return "\n\n".join(parts)


# --- what a page asks for ------------------------------------------------------------------------


def make_targets(prefix: str) -> str:
    """The targets of the Makefile whose names begin so, with what they do."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rows = re.findall(rf"^({prefix}[a-z-]*):[^#\n]*## (.*)$", text, re.MULTILINE)
    return "\n".join(["| command | what it measures |", "| --- | --- |", *(f"| `make {a}` | {b} |" for a, b in rows)])


def measured(name: str) -> str:
    """A table as a benchmark printed it."""
    path = MEASURED / name
    if not path.is_file():
        raise Unfinished(f"docs/measured/{name} is missing: run make measured")
    return f"```text\n{path.read_text(encoding='utf-8').rstrip()}\n```"


def phase_rows() -> str:
    return _rows(PHASES.values())


def verdict_rows() -> str:
    return _rows(VERDICTS.values())


def _rows(terms: Iterable[Term]) -> str:
    return "\n".join(f"| `{one.name}` | {markdown.escape(f'{one.what} {one.caution}')} |" for one in terms)


def few_rows() -> str:
    return str(confidence.FEW_ROWS)


def confidence_table() -> str:
    """Which share of answers is worth which confidence, as the program uses it."""
    rows = zip(confidence.VERDICT_AGREED, confidence.VERDICT_RIGHT, confidence.PHASE_RIGHT, strict=True)
    lines = [f"| {agreed:.0%} | {verdict:.0%} | {phase:.0%} |" for agreed, verdict, phase in rows]
    return "\n".join(["| answers that agree | verdicts right | phases right |", "| --- | --- | --- |", *lines])


def about(name: str) -> str:
    """What runopsy explain prints of a format, without its title."""
    subject = next(one for one in explained() if one.name == name)
    return _about(subject).partition("\n\n")[2]


def schema(name: str) -> str:
    """The fields of a published schema."""
    fields = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))["properties"]
    rows = [f"| `{field}` | {_type(about)} | {about.get('description', '')} |" for field, about in fields.items()]
    return "\n".join(["| field | type | meaning |", "| --- | --- | --- |", *rows])


def _type(about: Mapping[str, Any]) -> str:
    if "const" in about:
        return f"{about['const']}"
    if "enum" in about:
        return ", ".join(map(str, about["enum"]))
    kinds = about["type"]
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
