"""Sentences → policies: what can be written is read back, and what cannot be read is named."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from runopsy.errors import BadOption
from runopsy.study.backtest import USUAL
from runopsy.study.policies import Crosses, GeneralizationLoss, Memorization, Patience, Policy
from runopsy.study.policy_grammar import CONDITIONS, OVER_SETS, parse, shape
from runopsy.study.set_policies import Asha, Hyperband, MedianStopping, SuccessiveHalving


def test_the_sentences_of_the_issue():
    assert parse("when val/loss has not improved for 20 evals: stop") == Policy(Patience(20, signal="val/loss"))
    assert parse("when gns < 0.4: halve lr") == Policy(Crosses("gns", below=True, number=0.4), "halve lr")


@pytest.mark.parametrize(
    "policy", [*USUAL, Policy(Patience(3, 0.01, 5, "val/acc")), Policy(Memorization(2.5))], ids=str
)
def test_every_policy_is_written_as_it_is_read(policy):
    assert parse(str(policy)) == policy


@pytest.mark.parametrize(
    "policy", [MedianStopping(5, 100.0), Asha(4, 1.0), Asha(), SuccessiveHalving(2, 10.0), Hyperband()], ids=str
)
def test_every_policy_over_sets_is_written_as_it_is_read(policy):
    assert parse(str(policy)) == policy


def test_blanks_and_percent_signs_may_stand_close():
    assert parse("when  validation is 5% above its lowest:stop") == Policy(GeneralizationLoss(5))


def test_a_name_in_quotes_may_hold_anything():
    assert parse('when "eval: my loss" > 1e-3: stop').condition.signal == "eval: my loss"


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        (
            "when val/loss has not improved for many evals: stop",
            "has 'many' after 'when val/loss has not improved for'",
        ),
        ("when val/loss has not improved for 2.5 evals: stop", "where a whole number is expected"),
        ("when val/loss has not improved for 20 evals", "names no action"),
        ("when val/loss has not improved for 20 evals: explode", "'explode', which is no action"),
        ("when val/loss has not improved for 20 evals today: stop", "has 'today' after"),
        ("when val/loss has not improved for 20: stop", "has the end after"),
        ("when gns < nan: stop", "where a number is expected"),
        ("patience 20", "has 'patience', where"),
        ("", "has the end, where"),
        ("__import__('os').system('true')", "where"),
    ],
)
def test_an_error_names_the_word_at_which_reading_ended(sentence, says):
    with pytest.raises(BadOption) as error:
        parse(sentence)
    assert says in error.value.message
    assert error.value.hint


def test_values_out_of_their_domain_are_refused():
    with pytest.raises(BadOption, match="never waits"):
        parse("when val/loss has not improved for 0 evals: stop")
    with pytest.raises(BadOption, match="keeps every run"):
        parse("asha by 1")
    with pytest.raises(BadOption, match="before the first step"):
        parse("asha from step 0")


@given(st.text(max_size=80))
def test_any_text_is_a_policy_or_an_error_of_ours(text):
    with suppress(BadOption):
        parse(text)


def test_every_sentence_of_the_page_is_read_and_every_form_stands_there():
    page = (ROOT / "docs" / "when-to-stop.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```policy\n(.*?)```", page, re.DOTALL)
    policies = [parse(line) for line in block.splitlines()]
    built = {type(getattr(policy, "condition", policy)) for policy in policies}
    names = "Patience GeneralizationLoss ProgressQuotient Rises Memorization NoiseFalls Crosses Budget"
    names += " MedianStopping SuccessiveHalving Asha Hyperband"
    assert {form.__name__ for form in built} == set(names.split())


WORDS = sorted(
    {word for form in (*CONDITIONS, *OVER_SETS) for word in shape(form.template).split()} | {":", "stop", "7"}
)


@given(st.lists(st.sampled_from(WORDS), max_size=15))
def test_any_words_of_the_grammar_are_a_policy_or_an_error_of_ours(words):
    try:
        policy = parse(" ".join(words))
    except BadOption:
        return
    assert parse(str(policy)) == policy
