"""The command line: words in, words out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeGuard, TypeVar

import typer

from runopsy.errors import BadOption, RunopsyError, UnreadableLog
from runopsy.lab import TASKS  # names and titles; torch waits until one is trained
from runopsy.options import (
    VERSUS,
    Alignment,
    Axes,
    Axis,
    Config,
    Cutter,
    Format,
    Formats,
    Listing,
    Map,
    Metric,
    NoColor,
    Output,
    Preset,
    Quiet,
    Rules,
    RunPath,
    Segmenters,
    Suffix,
    Verbose,
    Which,
)
from runopsy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runopsy.lab import Task
    from runopsy.model import Autopsy, Run
    from runopsy.segments import Segmenter
    from runopsy.settings import Settings
    from runopsy.standards import Standards

T = TypeVar("T")

# Everything heavy is imported inside the verb that needs it: --help answers before NumPy would have loaded.

app = typer.Typer(
    name="runopsy",
    help="Offline autopsies of training runs: phases, events, evidence, and what could not be checked.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: a third of the start-up time, and it reads the same in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
lab = typer.Typer(help="Tiny real trainings on a CPU, recorded: see what each phase looks like.", no_args_is_help=True,
                  rich_markup_mode=None)  # fmt: skip
app.add_typer(lab, name="lab")


@app.command()
def analyze(
    run: RunPath,
    format: Formats = None,
    output: Output = None,
    which: Which = None,
    map_: Map = None,
    metric: Metric = None,
    x: Axes = None,
    config: Config = None,
    rules: Rules = None,
    segmenter: Segmenters = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on", metavar="KIND[,KIND]", help="Exit with 1 if one of these events or verdicts is found."
        ),
    ] = None,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Examine one run: phases, events, evidence, verdict, best step, and what was not checked."""
    from runopsy.report import render, save

    gates = _gates(fail_on)
    if which == "all" and _is_file(output):
        raise BadOption("--run all writes to the screen", hint="redirect it, or name one run")
    examined = list(_each(run, which, lambda log: _examined(log, map_, metric, x, config, rules, segmenter)))
    if _is_file(output):
        _wrote(save(examined[0], output, format), quiet)
    else:
        chosen, width, color = format or Format.text, _width(), _colour(no_color)
        texts = [render(one, chosen.value, width=width, color=color, verbose=verbose) for one in examined]
        _print(_joined(texts, which, chosen))
    hit = sorted(gates & {kind for one in examined for kind in (*(e.kind for e in one.events), one.verdict.name)})
    if hit:
        typer.echo(f"--fail-on matched: {', '.join(hit)}", err=True)
        raise typer.Exit(1)


@app.command()
def diff(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="A B | A… vs B…", help="Two runs, or the runs of A, the word vs, and those of B."),
    ],
    align: Annotated[
        Alignment | None,
        typer.Option("--align", help="Lay the runs on one axis by this. Default: what the logs count by."),
    ] = None,
    format: Formats = None,
    output: Output = None,
    map_: Map = None,
    config: Config = None,
    rules: Rules = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="WORD[,WORD]",
            help="Exit with 1 if B differs so: new:KIND, lost:KIND, later:KIND|PHASE, earlier:KIND|PHASE, verdict.",
        ),
    ] = None,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Hold one run, or several seeds of it, against another: what moved, by how much, and whether beyond noise."""
    from runopsy.comparison import diff as compare
    from runopsy.comparison import gates, hits
    from runopsy.report import render, save
    from runopsy.settings import load

    gated = gates(fail_on or "")
    chosen = load(config)
    a, b = _two_sides(runs)
    roles = {**chosen.roles, **_pairs(map_)}
    found = compare(a, b, align=align.value if align else chosen.x, roles=roles, standards=_tuned(chosen, rules))
    if _is_file(output):
        _wrote(save(found, output, format), quiet)
    else:
        shown = (format or Format.text).value
        _print(render(found, shown, width=_width(), color=_colour(no_color), verbose=verbose))
    hit = hits(found, gated)
    if hit:
        typer.echo(f"--fail-on matched: {', '.join(hit)}", err=True)
        raise typer.Exit(1)


@app.command()
def report(
    run: RunPath,
    output: Output = None,
    format: Formats = None,
    which: Which = None,
    embed: Annotated[
        bool, typer.Option("--embed", help="Markdown: pictures inside the page (GitHub does not show such).")
    ] = False,
    gpus: Annotated[
        float | None, typer.Option("--gpus", min=0, help="How many GPUs trained: time in GPU-hours.")
    ] = None,
    price: Annotated[float | None, typer.Option("--price", min=0, help="Of one GPU-hour: time in money.")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write figures for a paper here (needs matplotlib).")
    ] = None,
    suffix: Annotated[Suffix, typer.Option("--suffix", help="Format of these figures.")] = Suffix.pdf,
    map_: Map = None,
    metric: Metric = None,
    x: Axes = None,
    config: Config = None,
    rules: Rules = None,
    segmenter: Segmenters = None,
    quiet: Quiet = False,
) -> None:
    """Write the autopsy of one run as a page: Markdown with a picture beside it, one HTML file, or JSON."""
    from runopsy.report import figures as drawing
    from runopsy.report import render, save

    if which == "all":
        raise BadOption("a report is of one run", hint="runopsy analyze --run all prints each in turn")
    (autopsy,) = _each(run, which, lambda log: _examined(log, map_, metric, x, config, rules, segmenter))
    gpus = 1.0 if price is not None and gpus is None else gpus
    if figures is not None:
        _wrote(drawing.write(autopsy, figures, suffix.value), quiet)
    if _is_file(output):
        _wrote(save(autopsy, output, format, embed=embed, gpus=gpus, price=price), quiet)
    elif figures is None or output is not None or format is not None:
        _print(render(autopsy, (format or Format.markdown).value, verbose=True, gpus=gpus, price=price))


@app.command()
def signals(
    run: RunPath,
    format: Annotated[Listing | None, typer.Option("--format", "-f", help="text, or json for scripts.")] = None,
    which: Which = None,
    map_: Map = None,
    metric: Metric = None,
    config: Config = None,
    no_color: NoColor = False,
) -> None:
    """List what is in a log: every column, the role it plays, and why."""
    from runopsy.report.listing import listing
    from runopsy.settings import load
    from runopsy.signals import assign, in_unit, missing, with_sums

    chosen = load(config)

    def listed(log: Run) -> str:
        log = with_sums(log)
        roles = assign(log.tracks, {**chosen.roles, **_pairs(map_)}, metric or chosen.metric, log.config)
        values = {role.track: in_unit(log.tracks[role.track].value, role) for role in roles}
        return listing(log, roles, values, missing(roles), as_json=format is Listing.json, width=_width(),
                       color=_colour(no_color))  # fmt: skip

    texts = list(_each(run, which, listed))
    _print(_joined(texts, which, Format.json if format is Listing.json else Format.text))


@app.command("import")
def import_(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="SRC... DEST", help="Logs of any known format, and the run folder to write."),
    ],
    which: Which = None,
    quiet: Quiet = False,
) -> None:
    """Keep logs as run folders: every value, time and name; several go into DEST, each into a folder of its own."""
    from runopsy.readers import run_selection, runs
    from runopsy.readers.import_run import folder_name, keep
    from runopsy.report.progress import bar

    *sources, dest = paths
    if not sources:
        raise BadOption("import needs a log and a folder to write", hint="runopsy import SRC DEST")
    found = [run for source in sources for run in run_selection.chosen(runs(source), which, source)]
    many = len(sources) > 1 or which == run_selection.ALL
    failed = 0
    with bar("importing", hidden=quiet) as progress:
        for done, candidate in enumerate(found, 1):
            place = Path(dest) / folder_name(candidate.name) if many else Path(dest)
            try:
                keep(candidate.read(), place)
            except RunopsyError as error:
                if not many:
                    raise
                failed += 1
                typer.echo(f"runopsy: {candidate.name}: {error.message}", err=True)
            else:
                _wrote((place,), quiet)
            progress(done / len(found))
    if failed == len(found):
        raise UnreadableLog(f"none of the {failed} logs was imported", hint="what is so stands above")


@app.command()
def rules(config: Config = None, rules: Rules = None) -> None:
    """List the rules, what each asks and needs, and all thresholds."""
    from runopsy.report.listing import rules_table
    from runopsy.settings import load
    from runopsy.standards import values

    asked = _tuned(load(config), rules)
    _print(rules_table(asked.rules, values(asked.limits), width=_width(), color=_colour(False)))


@app.command()
def explain(
    name: Annotated[
        str, typer.Argument(help="A rule (G01), a kind of event (grokking), a threshold (gap), or: thresholds.")
    ],
    config: Config = None,
) -> None:
    """Explain a rule, a kind of event or a threshold: what it asks, what decides it and why."""
    from runopsy.report.listing import explanation
    from runopsy.settings import load
    from runopsy.standards import unknown, values

    known = {one.code: one for preset in Preset for one in _tuned(load(config), preset).rules}
    limits = _tuned(load(config), None).limits
    text = explanation(name, tuple(known.values()), values(limits))
    if text is None:
        raise unknown(name, f"rules: {', '.join(known)}")
    _print(text)


@lab.command("list")
def lab_list() -> None:
    """List the trainings: what each shows and how long it takes."""
    for task in TASKS:
        typer.echo(f"{task.name:16} ~{task.seconds:>2} s  {task.title}")
        typer.echo(f"{'':24}{task.shows}")
        typer.echo(f"{'':24}knobs: {', '.join(task.knobs)}\n" if task.knobs else "")


def _lab_command(task: Task) -> None:
    """One verb per training, so that --help and completion know them."""

    def train(
        output: Annotated[
            Path, typer.Option("--output", "-o", metavar="DIR", help="The run folder to write; it must not exist.")
        ],
        seed: Annotated[int, typer.Option("--seed", help="Another seed, another run.")] = 0,
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KNOB=NUMBER", help="Train otherwise; runopsy lab list names the knobs."),
        ] = None,
        signals: Annotated[
            str, typer.Option("--signals", help="Which are recorded: scalars, default, or full (slower).")
        ] = "default",
        quiet: Quiet = False,
    ) -> None:
        from runopsy import lab as room
        from runopsy.report.progress import bar

        knobs = _knobs(set_)
        with bar(task.name, hidden=quiet) as progress:
            truth = room.run(task.name, output, seed=seed, progress=progress, knobs=knobs, signals=signals)
        if not quiet:
            typer.echo(
                f"recorded {output}: {' or '.join(truth.verdicts)} is the truth; now: runopsy analyze {output}",
                err=True,
            )

    train.__doc__ = task.title
    lab.command(task.name)(train)


for _task in TASKS:
    _lab_command(_task)


# --- shared by the verbs -------------------------------------------------------------------------


def _each(path: str, which: str | None, verb: Callable[[Run], T]) -> Iterator[T]:
    """What a verb makes of the run that is meant, or of each in turn; what cannot be judged among many is said.

    Raises:
        UnreadableLog: there are several runs, now listed on stderr, and none was chosen; or none can be read.
        RunopsyError: as the verb says of the one run that is meant.
    """
    from runopsy.readers import run_selection, runs

    found = runs(path)
    if which is None and len(found) > 1:
        from runopsy.report.listing import runs_table

        typer.echo(runs_table(path, list(run_selection.glances(found)), width=_width()), err=True, nl=False)
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


def _joined(texts: list[str], which: str | None, format: Format) -> str:
    """One report, or with --run all those of every run: in JSON, a list of objects."""
    if format is Format.json and which == "all":
        return "[\n" + ",\n".join(text.rstrip("\n") for text in texts) + "\n]\n"
    return "\n".join(texts)


def _examined(
    run: Run,
    mapping: list[str] | None,
    metric: str | None,
    x: Axis | None,
    config: Path | None,
    rules: Preset | None,
    segmenter: Cutter | None,
) -> Autopsy:
    from runopsy.autopsy import analyze as examine
    from runopsy.settings import load

    chosen = load(config)
    roles = {**chosen.roles, **_pairs(mapping)}
    axis, score = x.value if x else chosen.x, metric or chosen.metric
    cutter = _segmenter(chosen, segmenter)
    return examine(run, roles=roles, x=axis, metric=score, standards=_tuned(chosen, rules), segmenter=cutter)


def _segmenter(chosen: Settings, cutter: Cutter | None) -> Segmenter:
    """What --segmenter says; without it, ruptures where the settings describe it."""
    from runopsy.segments import EXACT

    if cutter is Cutter.exact or (cutter is None and not chosen.segmenter):
        return EXACT
    from runopsy.segments.by_ruptures import segmenter

    return segmenter(chosen.segmenter)


def _tuned(chosen: Settings, rules: Preset | None) -> Standards:
    from runopsy.rules import PRESETS
    from runopsy.standards import Standards, refuse_old, tuned

    preset = rules or chosen.preset or Preset.default
    if preset not in PRESETS:
        raise BadOption(f"there is no preset of rules {preset!r}", hint=f"presets: {', '.join(PRESETS)}")
    refuse_old(chosen.rules)
    return tuned(Standards(rules=PRESETS[preset]), chosen.thresholds)


def _two_sides(runs: list[str]) -> tuple[list[str], list[str]]:
    """Two runs, or those before and those after the word vs."""
    if runs.count(VERSUS) == 1:
        at = runs.index(VERSUS)
        a, b = runs[:at], runs[at + 1 :]
    elif VERSUS not in runs and len(runs) == 2:
        a, b = runs[:1], runs[1:]
    else:
        a, b = [], []
    if not a or not b:
        raise BadOption(
            f"diff takes two runs, or two sets of runs with the word vs between them; it was given {len(runs)}",
            hint="runopsy diff A B, or for several seeds: runopsy diff A1 A2 A3 vs B1 B2 B3",
        )
    if [*a, *b].count("-") > 1:
        raise BadOption("standard input can be read once", hint="give - for one of the runs only")
    return a, b


def _pairs(mapping: list[str] | None) -> dict[str, str]:
    pairs = {}
    for pair in mapping or []:
        role, equals, column = pair.partition("=")
        if not (role and equals and column):
            raise BadOption(f"--map {pair!r} is no ROLE=COLUMN", hint="for example --map val/loss=eval_nll")
        pairs[role] = column
    return pairs


def _knobs(pairs: list[str] | None) -> dict[str, float]:
    knobs = {}
    for pair in pairs or []:
        knob, _, number = pair.partition("=")
        try:
            knobs[knob] = float(number)
        except ValueError:
            raise BadOption(f"--set {pair!r} is no KNOB=NUMBER", hint="for example --set weight_decay=1") from None
    return knobs


def _gates(kinds: str | None) -> set[str]:
    """The kinds of --fail-on; a misspelt one would never fire, so it is refused."""
    if kinds is None:
        return set()
    from runopsy.kinds import KINDS, RENAMED
    from runopsy.verdicts import VERDICTS

    known = {*KINDS, *(row.verdict for row in VERDICTS)}
    gates = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    for old in sorted(gates & {*RENAMED}):
        raise BadOption(f"--fail-on: {old} is now called {RENAMED[old]}", hint=f"--fail-on {RENAMED[old]}")
    if gates - known:
        raise BadOption(
            f"--fail-on: no such kind: {', '.join(sorted(gates - known))}", hint=f"kinds: {', '.join(sorted(known))}"
        )
    return gates


def _colour(no_color: bool) -> bool:
    return sys.stdout.isatty() and not no_color and "NO_COLOR" not in os.environ


def _width() -> int | None:
    """The terminal's width; a pipe gets the default."""
    return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None


def _is_file(output: Path | None) -> TypeGuard[Path]:
    return output is not None and str(output) != "-"


def _wrote(paths: tuple[Path, ...], quiet: bool) -> None:
    for path in () if quiet else paths:
        typer.echo(f"wrote {path}", err=True)


def _print(text: str) -> None:
    """Results go to stdout; what the terminal cannot encode comes in ASCII."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        from runopsy.report.terminal import ASCII

        text = text.translate(ASCII).encode(encoding, errors="replace").decode(encoding)
    sys.stdout.write(text)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"runopsy {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Exit codes: 0 analysed · 1 --fail-on matched · 2 could not judge · 3 our own fault."""
    try:
        app()
    except RunopsyError as error:
        typer.echo(f"runopsy: {' '.join(error.message.split())}", err=True)  # one line, whatever a path contains
        if error.hint:
            typer.echo(f"  {' '.join(error.hint.split())}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does: that is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("RUNOPSY_TRACEBACK"):
            raise
        typer.echo(f"runopsy: a fault of its own: {type(error).__name__}: {error}", err=True)
        typer.echo("  please report it; RUNOPSY_TRACEBACK=1 shows where", err=True)
        sys.exit(3)
    sys.exit(0)
