import pytest

import planted
import runopsy
from runopsy.errors import BadOption
from runopsy.standards import Standards, tuned


def test_a_threshold_can_be_replaced_and_shows_in_the_report():
    autopsy = runopsy.analyze(planted.grokking(), standards=tuned(Standards(), {"G01": {"late_gain": 0.99}}))
    assert autopsy.verdict.name != "grokked"
    assert autopsy.thresholds["G01"]["late_gain"] == 0.99


def test_what_makes_a_phase_can_be_replaced_too():
    asked = tuned(Standards(), {"P01": {"started": 0.5}})
    usual, late = runopsy.analyze(planted.grokking()), runopsy.analyze(planted.grokking(), standards=asked)
    assert late.phases[0].label == usual.phases[0].label == "underfitting"
    assert late.phases[0].end > usual.phases[0].end


def test_what_makes_a_verdict_can_be_replaced_too():
    asked = tuned(Standards(), {"W01": {"fewest": 1000}})
    assert runopsy.analyze(planted.healthy(), standards=asked).verdict.name == "inconclusive"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"X99": {}}, "no rule 'X99'"),
        ({"G01": {"gain": 1}}, "no threshold 'gain'"),
        ({"G01": {"delay": "long"}}, "no number"),
        ({"P01": {"window": True}}, "no number"),
    ],
)
def test_a_misspelt_override_is_refused(overrides, said):
    with pytest.raises(BadOption, match=said):
        tuned(Standards(), overrides)


def test_every_code_is_given_once():
    codes = [one.code for one in Standards()]
    assert len(codes) == len(set(codes))
