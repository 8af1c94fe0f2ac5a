"""Every number that decides what is found or said stands in one table, or is counted here."""

import ast
import re
from pathlib import Path

import pytest

import planted
import runopsy
from runopsy.rules import PRESETS
from runopsy.thresholds import DEFAULTS, THRESHOLDS

SRC = Path(runopsy.__file__).parent
JUDGING = ("signals", "segments", "facts", "rules", "phases", "verdicts.py", "best_step.py")
TRIVIAL = {0, 1, 2, -1}
ROUNDING = 1e-6  # smaller numbers keep a quotient finite

# Constants that decide nothing by themselves: resolutions, memory, properties of distributions, presentation.
NUMERICS = {
    "segments.bins.MOST": "points of a fit: time",
    "segments.bins.NEIGHBOURS": "points of a fit whose noise is taken to be the same",
    "segments.bins.TOGETHER": "bins that share an estimate: time",
    "segments.bins.ENOUGH": "second differences that a median is taken of: time",
    "segments.by_ruptures.MOST": "points of a fit: time",
    "segments.by_ruptures.MOST_PIECES": "pieces of a fit: time",
    "segments.by_ruptures.WINDOW": "points that a search of ruptures takes",
    "segments.common.MOST_SIGNALS": "time, and presentation",
    "segments.common.DEGREE": "degree of a polynomial",
    "segments.contrast.FEWEST": "points that a difference takes",
    "segments.contrast.CUBIC": "points that a polynomial takes",
    "segments.contrast.SIDES": "widths of a kernel",
    "segments.grid.MOST": "points of a fit: time",
    "segments.grid.AROUND": "points of a fit whose noise is taken to be the same",
    "segments.grid.ENOUGH": "second differences that a median is taken of",
    "segments.moment.BESIDE": "interval of a place, measured to hold nine in ten",
    "segments.moment.MASS": "likewise",
    "segments.moment.TRUST": "likewise",
    "segments.cut.FEWEST_FOR_DECAY": "points that a mixture of exponentials takes",
    "segments.cut.EFFECTIVE": "parameters of a mixture of exponentials, for its standard error",
    "segments.decay.RATES": "grid of a mixture",
    "segments.decay.FASTEST": "grid of a mixture",
    "segments.decay.SLOWEST": "grid of a mixture",
    "segments.lines.SHORTEST": "points that a line takes",
    "segments.nonnegative.PER_COLUMN": "rounds of a solver",
    "segments.nonnegative.ZERO": "rounding",
    "segments.pace.NEIGHBOURHOOD": "width of a kernel",
    "facts.counting.MOST": "grids that printed digits can tell",
    "facts.counting.PRINTED": "rounding of printed accuracies",
    "facts.counting.ASKED": "values that are looked at: time",
    "facts.counting.AT_FIRST": "values that are looked at first: time",
    "facts.counting.TENS": "grids of printed digits",
    "facts.curve.POINTS": "points of a fit: time",
    "facts.curve.LONG_ENOUGH": "rows for blocks of noise: a property of the estimate of noise",
    "facts.curve.MEDIAN_ERROR": "error of a median of second differences",
    "facts.curve.FEWEST_SECOND": "second differences that a median takes",
    "facts.curve.FEW": "error of an estimate of noise",
    "facts.start.LN2": "the natural logarithm of 2",
    "facts.start.CLASSES": "numbers of classes that people have",
    "facts.late.ONSET": "place that is told of a late gain, not whether there is one",
    "facts.late.HALF": "likewise",
    "facts.late.COMPLETE": "likewise",
    "facts.schedule.ASKED": "epochs that are asked: time",
    "facts.schedule.ROWS": "rows of an epoch that are asked: time",
    "facts.shape.LEVELS": "grid of a fit",
    "facts.shape.MOST_PIECES": "grid of a fit: time",
    "facts.shape.HUBER": "robust cost of a fit",
    "facts.usual.PARTS": "grid of courses",
    "facts.usual.RUN": "parts of a course on either side",
    "facts.reward.PARTS": "parts of a log whose means are told",
    "facts.spikes.LEAST_SCATTER": "rounding of printed losses",
    "facts.spikes.BLOCK": "memory",
    "phases.GRID": "grid of the phases",
    "rules.common.MOST_NAMED": "presentation",
    "rules.interior.BLOCKS": "blocks of a jackknife",
    "rules.places.STEEP": "interval of a place, measured to hold nine in ten",
    "rules.places.CAUTIOUS": "likewise",
    "rules.places.UNSEEN": "likewise",
    "rules.places.NARROW": "width of a kernel",
    "rules.places.REACH": "width of a kernel",
    "rules.places.DEGREE": "degree of a polynomial",
    "rules.places.FEWEST": "points that a polynomial takes",
    "rules.places.DRAWS": "draws of an interval",
    "rules.schedule.PLACES": "places that show the noise: time",
    "rules.schedule.LEVEL_ROWS": "rows whose medians are told",
    "rules.thresholds.BLOCKS": "points of a fit: time",
    "rules.thresholds.RUN": "blocks on either side of a place",
    "signals.clean.HUGE": "overflow",
    "signals.derived.WINDOW": "readings of a moving average",
    "signals.derived.SHARE": "likewise",
    "signals.missing.FEW": "presentation",
    "signals.missing.WIDE": "presentation",
    "signals.names.KNOWN": "memory",
    "signals.parts.NAMED": "presentation",
    "signals.placeholders.NEVER": "the number that scripts write for none",
}
# Numbers within a comparison that decide nothing either: module: value → why.
LITERALS = {
    "facts.shape: 3": "keeps a logarithm above 0",
    "segments.moment: 4": "rows that a likelihood takes",
    "segments.moment: 0.5": "keeps a quotient finite",
    "rules.places: 3": "points that a polynomial or a difference takes",
    "rules.places: 4": "width of a kernel",
    "rules.places: 0.99": "whether steps are whole numbers",
    "rules.thresholds: 0.5": "the middle of a jump",
    "signals.metric: 12": "presentation",
    "signals.roles: 12": "presentation",
    "signals.units: 10": "a tenth, whose median is taken",
}
# Numbers that decide outside the table, which may only fall: 22 of names and units of columns, 18 of segments and
# common changes, 25 of facts, phases and stages, most of them of short logs and of losses that blow up.
MOST_LEFT = 65


def modules():
    for name in JUDGING:
        path = SRC / name
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            dotted = ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
            yield dotted, ast.parse(file.read_text())


def number(node):
    """The value of a numeric literal, negative ones included; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    return None


def holds_numbers(node):
    return any(number(part) is not None for part in ast.walk(node)) and not any(
        isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(node)
    )


def constants(tree):
    """The names in capitals that a module binds to numbers."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and n.id.isupper()]
        if names and node.value is not None and holds_numbers(node.value):
            yield from names


def literals(node):
    """The numbers within a comparison that are no index, no exponent and no guard against rounding."""
    if isinstance(node, ast.Subscript):
        yield from literals(node.value)
        return
    value = number(node)
    if value is not None:
        if value not in TRIVIAL and abs(value) > ROUNDING:
            yield value
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield from literals(node.left)
        return
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def deciding(tree):
    """Line → literal of every comparison, and of every least and largest."""
    found = set()
    for node in ast.walk(tree):
        bound = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max")
        if isinstance(node, ast.Compare) or bound:
            found |= {(node.lineno, value) for value in literals(node)}
    return sorted(found)


def left():
    """The numbers that decide and do not stand in the table."""
    told = []
    for name, tree in modules():
        told += [f"{name}.{one}" for one in constants(tree) if f"{name}.{one}" not in NUMERICS]
        told += [f"{name}:{line}: {v}" for line, v in deciding(tree) if f"{name}: {v}" not in LITERALS]
    return told


def test_the_table_holds_at_most_45_thresholds():
    assert len(THRESHOLDS) <= 45


def test_no_more_numbers_decide_outside_the_table_than_before():
    assert len(left()) <= MOST_LEFT, "\n".join(left())


def test_every_exception_is_a_constant_that_exists():
    known = {f"{name}.{one}" for name, tree in modules() for one in constants(tree)}
    assert set(NUMERICS) <= known
    assert set(LITERALS) <= {f"{name}: {value}" for name, tree in modules() for _, value in deciding(tree)}


def test_a_number_in_a_comparison_is_counted_and_an_index_is_not():
    code = "if x[3] > 0.7 * y: pass\nz = max(a, 5)\nw = b ** 3 > c\nd = -1 < e"
    assert [value for _, value in deciding(ast.parse(code))] == [0.7, 5]


@pytest.mark.parametrize("one", THRESHOLDS, ids=lambda one: one.name)
def test_every_value_of_a_domain_can_be_asked(one):
    values = [one.low, one.high, *([one.value + 1] if isinstance(one.value, int) else [])]
    for value in values:
        if value <= one.high:
            runopsy.analyze(planted.grokking(1000, 500), thresholds={one.name: value})


@pytest.mark.parametrize("one", THRESHOLDS, ids=lambda one: one.name)
def test_every_threshold_has_a_unit_a_domain_a_reason_in_a_full_sentence_and_a_source(one):
    assert one.low <= one.value <= one.high
    assert one.unit
    assert one.source
    assert re.match(r"[A-Z].*[.]$", one.reason)
    assert isinstance(getattr(DEFAULTS, one.name), type(one.value))


def test_every_threshold_is_read_somewhere():
    text = "\n".join(path.read_text() for path in SRC.rglob("*.py"))
    read = set(re.findall(r"\b(?:limits|c)\.(\w+)\b", text))
    assert [one.name for one in THRESHOLDS if one.name not in read] == []


def test_a_rule_names_every_threshold_that_it_reads():
    for rule in {rule.code: rule for rules in PRESETS.values() for rule in rules}.values():
        module = ast.parse(Path(__import__(type(rule).__module__, fromlist=["x"]).__file__).read_text())
        body = next(n for n in module.body if isinstance(n, ast.ClassDef) and n.name == type(rule).__name__)
        read = {
            node.attr
            for node in ast.walk(body)
            if isinstance(node, ast.Attribute) and re.search(r"limits$", ast.unparse(node.value))
        } - {"of", "own"}
        assert read <= set(rule.uses), f"{rule.code} reads {sorted(read - set(rule.uses))}"
        assert set(rule.uses) <= {one.name for one in THRESHOLDS}
