"""The sentences of a diff."""

import re
from dataclasses import replace

import pytest

import planted
from runopsy import analyze, diff, render
from runopsy.kinds import KINDS, Often

EARLY, LATE = (analyze(replace(planted.grokking(half=h), id=name)) for h, name in ((1200.0, "one"), (2000.0, "two")))
PAIR = diff(EARLY, LATE)


def seeds(half, first):
    return [
        analyze(replace(planted.grokking(half=half + 100 * k, seed=first + 10 * k), id=f"{half}-{k}")) for k in range(3)
    ]


def flat(text):
    return " ".join(text.split())


def test_the_first_line_says_what_moved_which_way_and_by_how_much():
    text = flat(render(PAIR))
    assert text.startswith("A: one · B: two DIFFERENT grokking comes")
    assert "steps later (" in text
    assert "Not moved beyond the intervals: the memorization onset" in text
    assert "One run on each side" in text


def test_the_mirror_image_says_earlier():
    assert "comes 800 steps earlier" in flat(render(diff(LATE, EARLY))) or "steps earlier (" in flat(
        render(diff(LATE, EARLY))
    )


def test_a_run_against_itself_is_no_difference():
    text = render(diff(EARLY, EARLY))
    assert "NO DIFFERENCE  the logs hold the same values at the same places" in text
    assert "What lies where" not in text


def test_both_timelines_stand_on_one_scale_one_above_the_other():
    lines = render(PAIR, width=100).splitlines()
    bars = [line for line in lines if line[:1] in "AB" and "│" in line]
    assert [bar[0] for bar in bars] == ["A", "B"]
    assert [bar.index("│") for bar in bars] == [11, 11]
    assert len(bars[0]) == len(bars[1]) <= 100
    ends = [bar.index("feature") for bar in bars]
    assert ends[0] < ends[1]  # B generalises later


@pytest.mark.parametrize("width", [40, 60, 96, 200])
def test_no_line_is_wider_than_asked_and_none_carries_colour(width):
    text = render(PAIR, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "\x1b[" in render(PAIR, width=width, color=True)


def test_sets_say_what_so_few_seeds_can_show():
    text = flat(render(diff(seeds(1200, 0), seeds(2200, 100))))
    assert "3 runs (1200-0, 1200-1, 1200-2)" in text
    assert "DIFFERENT grokking comes 1,000 steps later" in text
    assert "Seeds alone separate two such sets this far in 1 of 10 cases. With 3 runs against 3 no test can" in text
    assert "Not moved beyond seed noise: the memorization onset" in text


def test_two_seeds_against_two_are_said_to_be_too_few():
    text = flat(render(diff(seeds(1200, 0)[:2], seeds(2200, 100)[:2])))
    assert "UNDECIDED 2 against 2 runs are too few: seeds alone separate them completely in 33 % of cases" in text


def test_seed_noise_is_said_with_how_often_seeds_do_as_much():
    text = flat(render(diff(seeds(1200, 0), seeds(1230, 100))))
    assert "WITHIN SEED NOISE seeds alone separate two such sets this far in" in text


def test_a_pair_that_differs_in_its_seed_alone_is_seed_noise_with_what_the_seed_did():
    a, b = (replace(x.run, config={"lr": 0.1, "seed": k}) for k, x in enumerate((EARLY, LATE)))
    text = flat(render(diff(a, b)))
    assert "WITHIN SEED NOISE only the seed differs in the settings" in text
    assert "Between the two: grokking comes" in text
    assert "as a seed does" in text
    assert "1 other setting is equal." in text


def test_settings_that_differ_are_tabled_and_noise_is_named():
    a = replace(EARLY.run, config={"lr": 0.1, "out_dir": "x", "width": 8})
    b = replace(LATE.run, config={"lr": 0.2, "out_dir": "y", "width": 8})
    text = flat(render(diff(a, b)))
    assert "lr 0.1 0.2" in text
    assert "1 other setting is equal." in text
    assert "Left out, as they name a run, a place or a time: out_dir." in text


def test_runs_of_one_name_are_kept_apart_by_where_they_lie():
    a, b = (replace(EARLY.run, id="metrics", path=f"/somewhere/{name}/metrics.csv") for name in ("wide", "narrow"))
    assert render(diff(a, b)).startswith("A: wide/metrics.csv  ·  B: narrow/metrics.csv")


@pytest.mark.parametrize("format", ["text", "markdown", "html", "notebook", "json"])
def test_hostile_names_and_settings_stay_text(format):
    evil = "<script>alert(1)</script>|`x`\n\u202e\x1b[31m" + "y" * 10_000
    a = replace(EARLY.run, id=evil, config={evil: evil, "lr": 1})
    b = replace(LATE.run, id="b", config={evil: "z", "lr": 1})
    text = render(diff(a, b), format)
    assert "\x1b[31m" not in text
    if format in ("html", "notebook"):
        assert "<script>alert(1)" not in text
    if format == "markdown":
        assert re.search(r"(?<!\\)<script", text) is None  # a backslash before it: it is text
        row = next(line for line in text.splitlines() if line.endswith("| z |"))
        assert len(re.findall(r"(?<!\\)\|", row)) == 4  # the borders of three cells


@pytest.mark.parametrize("align", ["loss", "phase"])
def test_places_on_another_axis_are_said_in_its_words(align):
    text = flat(render(diff(EARLY, LATE, align=align)))
    shown = {"loss": "comes at a training loss of", "phase": "memorization is"}[align]
    assert shown in text


def test_details_wait_for_verbose():
    assert "Lengths of the phases" not in render(PAIR).replace("the lengths of the phases", "")
    assert "Lengths of the phases" in render(PAIR, verbose=True)


def test_every_kind_of_event_has_a_name():
    assert all(kind.title and kind.sentence for kind in KINDS.values())
    assert all(kind.plural for kind in KINDS.values() if kind.often is Often.MANY)
