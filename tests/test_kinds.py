"""The table of kinds against the rules that find them."""

import inspect
import re

import pytest

from runopsy import rules
from runopsy.kinds import INTERVENTIONS, KINDS, MILESTONES, ONCE, RENAMED
from runopsy.rules import PRESETS

RULES = {rule.code: rule for preset in PRESETS.values() for rule in preset}.values()


def test_every_kind_that_a_rule_finds_has_a_row_and_every_row_a_rule():
    found = {kind for rule in RULES for kind in rule.kinds}
    assert found == {*KINDS}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_evidence_of_a_rule_has_the_names_that_its_kinds_declare(rule):
    """Each Evidence(…) of a rule's class names a slot of one of its kinds; none is left without a name."""
    source = inspect.getsource(inspect.getmodule(type(rule)))
    named = set(re.findall(r'"(\w+)"\)', source))
    declared = {name for kind in rule.kinds for name in KINDS[kind].evidence}
    assert declared & named, f"{rule.code}: none of {sorted(declared)} is given"


def test_the_lists_that_other_rooms_use_come_from_the_table():
    assert MILESTONES == ("grokking", "memorization_onset", "double_descent_peak", "divergence")
    assert {*MILESTONES} < {*ONCE}
    assert {"lr_change", "resume", "batch_size_change", "data_change"} == {*INTERVENTIONS}
    assert {*RENAMED.values()} <= {*KINDS}
    assert not {*RENAMED} & {*KINDS}


def test_rules_is_a_table():
    assert isinstance(rules.RULES, tuple)
