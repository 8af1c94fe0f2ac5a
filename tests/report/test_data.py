import json

import numpy as np
import pytest

import planted
import runopsy

KEYS = set(
    "format tool run verdict verdict_confidence phases transitions events stop checks roles thresholds notes".split()
)


def facts(run):
    return json.loads(runopsy.render(runopsy.analyze(run), "json"))


def test_the_contract_of_the_json_report():
    found = facts(planted.grokking())
    assert set(found) >= KEYS
    assert found["format"] == 2
    assert found["run"] == {"path": "planted", "id": "planted", "first": 0, "last": 4000, "x": "step"}
    assert found["verdict"] == "grokked"
    assert set(found["phases"][0]) >= {"label", "start", "end", "confidence"}
    assert set(found["transitions"][0]) >= {"step", "interval", "from", "to", "signals", "confirmed", "explained_by"}
    event = next(e for e in found["events"] if e["kind"] == "grokking")
    assert set(event) >= {"kind", "code", "step", "interval", "severity", "evidence"}
    assert set(event["evidence"][0]) >= {"id", "signal", "observed", "limit", "unit"}
    assert found["thresholds"]["late_gain"] == 0.3
    assert {c["outcome"] for c in found["checks"]} <= {"found", "not_found", "not_checked"}
    assert all(c["why"] for c in found["checks"] if c["outcome"] == "not_checked")
    assert found["roles"]["train/loss"] == "train/loss"


def test_confidence_and_intervals_of_transitions_are_numbers():
    found = facts(planted.overfitting())
    assert 0 < found["verdict_confidence"] < 1
    assert all(0 < p["confidence"] < 1 for p in found["phases"])
    assert all(t["interval"][0] <= t["step"] <= t["interval"][1] for t in found["transitions"] if t["interval"])


def test_evidence_is_numbered_through_and_named_once():
    found = facts(planted.grokking())
    ids = [proof["id"] for event in found["events"] for proof in event["evidence"]]
    assert ids == [f"E{i + 1}" for i in range(len(ids))]


def test_every_claim_has_evidence():
    for make in (planted.grokking, planted.overfitting):
        assert all(event["evidence"] for event in facts(make())["events"])


def test_what_is_not_finite_is_null_with_a_note():
    step = np.arange(200)
    loss = planted.decay(step)
    loss[150:] = np.nan
    found = facts(planted.run(step, {"loss": loss}))
    event = next(e for e in found["events"] if e["kind"] == "divergence")
    assert event["evidence"][0]["observed"] is None
    assert any("not finite" in note for note in found["notes"])


def test_whole_steps_are_integers_and_fractions_stay():
    step = np.arange(0, 20, 0.05)
    found = facts(planted.run(step, {"loss": planted.decay(step, scale=2), "val_loss": planted.decay(step, scale=2)}))
    assert found["run"]["last"] == pytest.approx(19.95)
    assert isinstance(facts(planted.healthy())["phases"][0]["end"], int)


def test_to_dict_is_the_same_object():
    autopsy = runopsy.analyze(planted.healthy())
    assert json.loads(json.dumps(autopsy.to_dict())) == facts(planted.healthy())


def test_an_unknown_format_is_refused_by_name():
    with pytest.raises(runopsy.RunopsyError, match="pdf"):
        runopsy.render(runopsy.analyze(planted.healthy()), "pdf")
