import pytest

import planted
import runopsy
from runopsy.errors import BadOption
from runopsy.rules import PRESETS
from runopsy.standards import RENAMED, Standards, refuse_old, tuned
from runopsy.thresholds import BY_NAME, DEFAULTS


def test_a_threshold_can_be_replaced_and_shows_in_the_report():
    autopsy = runopsy.analyze(planted.grokking(), thresholds={"late_gain": 0.99})
    assert autopsy.verdict.name != "grokked"
    assert autopsy.thresholds["late_gain"] == 0.99
    assert set(autopsy.thresholds) == set(BY_NAME)


def test_a_phase_rests_on_the_same_thresholds():
    usual = runopsy.analyze(planted.grokking())
    late = runopsy.analyze(planted.grokking(), thresholds={"visible_loss": 0.5})
    assert late.phases[0].label == usual.phases[0].label == "underfitting"
    assert late.phases[0].end > usual.phases[0].end


def test_a_verdict_rests_on_the_same_thresholds():
    assert runopsy.analyze(planted.overfitting()).verdict.name == "overfit"
    deaf = {"visible_loss": 0.9, "visible_ratio": 10, "gap": 1}
    assert runopsy.analyze(planted.overfitting(), thresholds=deaf).verdict.name != "overfit"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"late_gian": 0.2}, "no threshold 'late_gian'"),
        ({"from_below": 0.2}, "it is now late_from"),
        ({"late_gain": "long"}, "no number"),
        ({"late_gain": True}, "no number"),
        ({"late_gain": 1.5}, "outside its domain"),
        ({"late_gain": float("nan")}, "outside its domain"),
        ({"few_rows": 3.5}, "no whole number"),
        ({"few_rows": float("inf")}, "outside its domain"),
        ({"gap": {"outlier": 3}}, "threshold gap is one number"),
        ({"grad/norm": {"late_gain": 0.5}}, "not asked of single signals"),
        ({"grad/norm": {"sigma": 0.5}}, "no threshold 'sigma'"),
        ({"grad/norm": {"outlier": 0.5}}, "outside its domain"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(said, message):
    with pytest.raises(BadOption, match=message) as refused:
        tuned(Standards(), said)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"G01": {"late_gain": 0.2}}, r"it is now \[thresholds\] late_gain"),
        ({"P01": {"window": 0.2}}, r"it is now \[thresholds\] beside"),
        ({"W01": {"fewest": 12}}, r"it is now \[thresholds\] fewest_rows"),
        ({"B03": {"blocks": 12}}, "that is no threshold any more"),
        ({"X99": {}}, "no rule 'X99'"),
        ({"G01": {}}, "of an older version"),
    ],
)
def test_thresholds_of_older_versions_are_refused_with_their_new_names(rules, message):
    with pytest.raises(BadOption, match=message):
        refuse_old(rules)


def test_every_new_name_is_one():
    assert {new for names in RENAMED.values() for new in names.values()} - {""} <= set(BY_NAME)


def test_one_signal_may_have_thresholds_of_its_own():
    limits = tuned(Standards(), {"outlier": 9, "grad/norm": {"outlier": 20}}).limits
    assert limits.of("grad/norm").outlier == 20
    assert limits.of("val/loss").outlier == limits.outlier == 9
    assert DEFAULTS.outlier == 8


def test_every_code_is_given_once():
    for rules in PRESETS.values():
        codes = [one.code for one in rules]
        assert len(codes) == len(set(codes))
