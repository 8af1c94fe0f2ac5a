"""A stored autopsy stands in for its run: phases, events and verdict are compared, and what is not is said."""

import json

import pytest

import planted
from runopsy.autopsy import analyze
from runopsy.comparison import diff, gates, hits, stored
from runopsy.errors import UnreadableLog
from runopsy.report import render


@pytest.fixture(scope="module")
def grokked():
    return analyze(planted.grokking())


@pytest.fixture
def file(grokked, tmp_path):
    path = tmp_path / "autopsy.json"
    path.write_text(render(grokked, "json"), encoding="utf-8")
    return path


def test_it_is_the_autopsy_without_its_curves(grokked, file):
    before, after = grokked.to_dict(), stored(file).to_dict()
    for key in (
        "run",
        "verdict",
        "verdict_confidence",
        "verdict_why",
        "transitions",
        "events",
        "stop",
        "checks",
        "roles",
    ):
        assert after[key] == before[key], key
    assert [{k: v for k, v in p.items() if k != "moved"} for p in before["phases"]] == [
        {k: v for k, v in p.items() if k != "moved"} for p in after["phases"]
    ]


def test_the_same_run_does_not_differ_from_its_stored_autopsy(file):
    found = diff(stored(file), planted.grokking())
    assert found.outcome == "same"
    text = " ".join(render(found, "text").split())
    assert "curves were not compared" in text
    assert "A is a stored autopsy: curves, values, cost and settings were not compared." in text
    assert "Only B logged" not in text


def test_a_later_grokking_is_later_than_the_stored_one(file):
    found = diff(stored(file), planted.grokking(half=2400.0))
    assert hits(found, gates("later:grokking")) == ["later:grokking"]
    assert hits(diff(stored(file), planted.healthy()), gates("lost:grokking,verdict")) == ["lost:grokking", "verdict"]


def test_two_stored_ones_are_not_called_identical(file):
    assert diff(stored(file), stored(file)).outcome == "same"


def test_one_of_format_1_is_read_under_the_names_of_today(file):
    old = json.loads(file.read_text(encoding="utf-8")) | {"format": 1}
    old["events"][0]["kind"] = "transition"
    for event in old["events"]:
        for one in event["evidence"]:
            del one["name"]
    for check in old["checks"]:
        check["outcome"] = {"not_found": "quiet"}.get(check["outcome"], check["outcome"])
    file.write_text(json.dumps(old), encoding="utf-8")
    assert "loss_drop" in {event.kind for event in stored(file).events}


@pytest.mark.parametrize(("content", "says"), [
    ("{", "no JSON"), ("[]", "no autopsy"), ('{"a": 1}', "no autopsy"), ('{"format": 3}', "of format 3"),
    ('{"format": 2}', "damaged"), ('{"format": 2, "run": 1, "events": 2}', "damaged"),
])  # fmt: skip
def test_what_is_no_stored_autopsy_is_refused(tmp_path, content, says):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(UnreadableLog, match=says):
        stored(tmp_path / "a.json")
    with pytest.raises(UnreadableLog, match="cannot be read"):
        stored(tmp_path / "none.json")
