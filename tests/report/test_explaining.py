"""runopsy explain: everything on screen has a name, and every name its explanation."""

from __future__ import annotations

import pytest

from runopsy import kinds, signal_specs
from runopsy.cli.explain import explain, explained
from runopsy.errors import BadOption
from runopsy.glossary import PHASES, TERMS, VERDICTS
from runopsy.phases.labels import LABELS
from runopsy.readers import READERS
from runopsy.report import markdown, terminal
from runopsy.report.document import Prose
from runopsy.report.explaining import named, nearest
from runopsy.rules import PRESETS
from runopsy.signals import ROLES
from runopsy.thresholds import THRESHOLDS
from runopsy.verdicts import VERDICTS as ROWS

KNOWN = explained()


def test_the_words_of_phases_and_verdicts_are_those_that_are_given() -> None:
    assert {*PHASES} == {label for label, _ in LABELS}
    assert {*VERDICTS} == {row.verdict for row in ROWS}


def test_every_name_of_every_table_can_be_explained() -> None:
    names = {rule.code for preset in PRESETS.values() for rule in preset}
    names |= {*kinds.KINDS, *kinds.RENAMED, *PHASES, *VERDICTS, *TERMS, *ROLES, *(one.name for one in THRESHOLDS)}
    names |= {reader.name for reader in READERS}  # type: ignore[attr-defined]  # of a Format
    for name in names:
        assert named(name, KNOWN), name
        assert named(name.upper().replace("_", " "), KNOWN) or "<" in name, name


@pytest.mark.parametrize("one", KNOWN, ids=lambda one: f"{one.sort} {one.name}".replace(" ", "-"))
def test_an_explanation_is_made_of_sentences(one) -> None:
    text = terminal.render(one.document, width=200)
    assert one.sort in text.splitlines()[0]
    assert "``" not in text
    assert len(text.splitlines()) > 1
    first = one.make()[0]
    assert isinstance(first, Prose)
    assert first.text.endswith(".") or one.sort == "format", first.text
    assert markdown.render(one.document).startswith("# ")


def test_a_name_that_the_model_completes_is_explained() -> None:
    assert named("grad/norm/encoder.0", KNOWN)[0].name == "grad/norm/<module>"
    assert named("hessian/trace/se", KNOWN)[0].name == "hessian/trace"
    assert named("val.clean/loss", KNOWN)[0].name == "val.<set>/loss"


def test_a_word_that_is_a_phase_and_a_verdict_is_explained_as_both() -> None:
    assert [one.sort for one in named("diverged", KNOWN)] == ["phase", "verdict"]


def test_a_name_of_version_0_1_is_explained_under_its_new_one() -> None:
    (found,) = named("first_mover", KNOWN)
    assert found.name == "leading_signal"
    assert "Version 0.1 called it first_mover" in terminal.render(found.document)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("features/efective_rank", "features/effective_rank"),
        ("effective_rnk", "features/effective_rank"),
        ("late_gian", "late_gain"),
        ("groking", "grokking"),
        ("ntk/velocty", "ntk/velocity"),
        ("overfitt", "overfit"),
    ],
)
def test_a_wrong_name_gets_the_nearest_one(wrong: str, meant: str) -> None:
    assert not named(wrong, KNOWN)
    assert nearest(wrong, KNOWN)[0] == meant


def test_a_name_like_nothing_gets_no_suggestion() -> None:
    assert nearest("qqqqqqqq", KNOWN) == []


def test_a_command_is_no_name_and_its_help_is_offered() -> None:
    with pytest.raises(BadOption) as refused:
        explain("watch")
    assert refused.value.hint == "runopsy watch --help"


def test_an_explanation_holds_what_the_table_holds() -> None:
    spec = signal_specs.SIGNALS["features/effective_rank"]
    text = " ".join(terminal.render(named(spec.name, KNOWN)[0].document, width=400).split())
    for fact in (spec.what, spec.formula, spec.unit, spec.moves, spec.caution, spec.cost, spec.source):
        assert fact
        assert fact in text
