"""The JSON of a diff: what scripts rely on."""

import json

import pytest

import planted
from runopsy import analyze, diff, render

A, B = (analyze(planted.grokking(half=half)) for half in (1200.0, 2000.0))
DIFFERENCE = {
    "kind", "what", "unit", "at", "change", "a", "b", "by", "share", "seconds", "p", "interval_a", "interval_b",
    "runs_a", "runs_b",
}  # fmt: skip


@pytest.fixture(scope="module")
def content():
    return json.loads(render(diff(A, B), "json"))


def test_the_object_has_these_keys_and_no_others(content):
    assert set(content) == {
        "format", "tool", "outcome", "align", "a", "b", "chance", "least_p", "phases", "events", "extras",
        "separations", "values", "cost", "config", "notes",
    }  # fmt: skip
    assert content["format"] == 1
    assert content["outcome"] == "different"
    assert content["align"] == "step"
    assert content["a"] == [
        {"path": "planted", "id": "planted", "first": 0, "last": 4000, "x": "step", "verdict": "grokked"}
    ]
    assert content["chance"] is content["least_p"] is None


@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        ("phases", {"begins", "lasts"}),
        ("events", {"event"}),
        ("values", {"end", "best"}),
        ("cost", {"reach", "wall", "pace"}),
    ],
)
def test_a_difference_is_b_less_a_with_what_is_known_of_it(content, part, kinds):
    assert content[part]
    for d in content[part]:
        assert set(d) == DIFFERENCE
        assert d["kind"] in kinds
        assert d["change"] in ("none", "real", "open")
        assert d["by"] is None or d["by"] == pytest.approx(d["b"] - d["a"])
        assert len(d["runs_a"]) == len(content["a"])


def test_the_planted_shift_can_be_read_from_it(content):
    (late,) = [d for d in content["events"] if d["what"] == "grokking"]
    assert late["change"] == "real"
    assert late["by"] == pytest.approx(800, abs=60)
    assert late["interval_a"][0] <= late["a"] <= late["interval_a"][1]


def test_separations_extras_and_settings_have_their_keys(content):
    assert all(
        set(s) == {"signal", "outcome", "step", "interval", "above", "at_end", "why"} for s in content["separations"]
    )
    assert {s["outcome"] for s in content["separations"]} <= {"found", "not_found", "not_checked"}
    assert content["config"] == {"known": False, "differing": {}, "equal": 0, "left_out": [], "seeds": []}
    extras = diff(A, analyze(planted.healthy())).to_dict()["extras"]
    assert all(set(e) == {"kind", "what", "side", "steps", "runs", "sure"} and e["side"] in ("a", "b") for e in extras)


def test_sets_tell_every_run_and_the_odds():
    seeds = [analyze(planted.grokking(half=half, seed=s)) for half, s in ((1200, 0), (1250, 1), (1300, 2))]
    late = [analyze(planted.grokking(half=half, seed=s)) for half, s in ((2000, 3), (2050, 4), (2100, 5))]
    content = diff(seeds, late).to_dict()
    assert content["chance"] == pytest.approx(0.1) == content["least_p"]
    assert len(content["a"]) == len(content["b"]) == 3
    (moved,) = [d for d in content["events"] if d["what"] == "grokking"]
    assert len(moved["runs_b"]) == 3
    assert moved["p"] == pytest.approx(0.1)
    json.dumps(content, allow_nan=False)
