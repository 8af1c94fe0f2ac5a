"""When examples were learnt, against counting by hand."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import runopsy
from runopsy.errors import CannotJudge
from runopsy.examples import watched_examples
from runopsy.examples.learning import given_groups
from runopsy.model import Examples, Turns
from runopsy.recorder.tables import write_table

NEVER = np.nan


def watched(side="probe", **columns):
    n = len(columns["learnt"])
    others = {"group": columns.pop("group", ()), "turns": columns.pop("turns", None)}
    columns = {name: np.asarray(value, dtype=float) for name, value in columns.items()} | others
    columns.setdefault("first", columns["learnt"])
    columns["forgotten"] = columns.get("forgotten", np.zeros(n)).astype(int)
    for name in ("confidence", "variability", "margin", "loss"):
        columns.setdefault(name, np.linspace(1, 0.1, n))
    return Examples(side, readings=20, label=np.zeros(n, dtype=int), rather=np.ones(n, dtype=int), **columns)


def test_a_group_is_counted_as_by_hand():
    learnt = [0, 10, 10, 20, 30, NEVER, NEVER, 40] * 4
    first = [0, 5, 10, 20, 30, 12, NEVER, 40] * 4
    forgotten = [0, 2, 0, 0, 0, 1, 0, 0] * 4
    found = watched_examples({"probe": watched(learnt=learnt, first=first, forgotten=forgotten)})
    (group,) = found.groups
    assert (group.name, group.examples, group.never, group.wrong) == ("training", 32, 4, 8)
    assert (group.forgotten, group.relearnt) == (8, 4)
    assert group.quartiles == (10, 20, 40)
    assert group.width is None
    assert "8 of 32 were not learnt" in group.why


def test_quartiles_that_were_not_reached_are_infinite_and_the_width_is_that_of_the_decades():
    steps = np.array([9.0, 99.0, 999.0] * 10)
    (group,) = watched_examples({"probe": watched(learnt=steps)}).groups
    assert group.width == pytest.approx(2 / 3)  # distances 1, 0, 1 decades
    (late,) = watched_examples({"probe": watched(learnt=[1.0] * 10 + [NEVER] * 30)}).groups
    assert late.quartiles == (1, np.inf, np.inf)


def test_steps_are_counted_from_the_first_reading():
    turns = Turns(np.arange(30), np.full(30, 1000.0), np.zeros(30, dtype=int))
    steps = 1000 + np.array([9.0, 99.0, 999.0] * 10)
    assert watched_examples({"probe": watched(learnt=steps)}).groups[0].width < 0.2
    assert watched_examples({"probe": watched(learnt=steps, turns=turns)}).groups[0].width == pytest.approx(2 / 3)


def test_the_largest_groups_are_shown_in_the_order_of_their_numbers():
    group = tuple(["10"] * 5 + ["9"] * 4 + ["a"] * 3 + ["small"])
    probe = watched(learnt=np.arange(13), group=group)
    assert list(given_groups(probe, 3)) == ["group 9", "group 10", "group a"]
    assert given_groups(probe, 3)["group 9"][1].sum() == 4


def test_canaries_learnt_at_once_are_narrower_than_patterns_and_alike_ones_are_not():
    draw = np.random.default_rng(0)
    patterns = watched(learnt=10 ** draw.normal(2, 0.6, 300))
    narrow = watched("canaries", learnt=10 ** draw.normal(3, 0.1, 60))
    (test,) = watched_examples({"probe": patterns, "canaries": narrow}).widths
    assert test.p < 0.01
    assert 0 < test.interval[0] < test.difference < test.interval[1]
    alike = watched("heldout", learnt=10 ** draw.normal(3, 0.6, 60))
    (test,) = watched_examples({"probe": patterns, "heldout": alike}).widths
    assert test.p > 0.05
    assert test.interval[0] < 0 < test.interval[1]


def test_nothing_watched_is_nothing_found():
    assert watched_examples({}) is None


@pytest.fixture
def folder(tmp_path):
    """A run folder with tables of examples, as two sessions left them."""
    run = runopsy.record(tmp_path / "run", signals="scalars")
    for step in range(40):
        run.log(step, {"train/loss": 1 / (1 + step)})
    run.finish()
    table = {"example": [0, 1], "first_right": [5, None], "learnt": [5, None], "last_wrong": [4, 9], "label": [1, 0],
             "forgotten": [1, 0], "right": [1, 0], "readings": [10, 10], "confidence": [0.8, 0.2],
             "variability": [0.1, 0.1], "margin": [0.6, -0.4], "loss": [0.1, 2.0], "predicted": [1, 1]}  # fmt: skip
    write_table(tmp_path / "run", "probe", table, 0)
    write_table(tmp_path / "run", "probe-turns", {"example": [0, 1, 0], "step": [0, 0, 5], "right": [0, 0, 1]}, 0)
    again = table | {"first_right": [20, 25], "learnt": [20, 30], "forgotten": [0, 2], "right": [1, 1],
                     "readings": [30, 30], "confidence": [1.0, 0.6], "variability": [0.0, 0.3],
                     "margin": [1.0, 0.2]}  # fmt: skip
    write_table(tmp_path / "run", "probe", again, 1)
    write_table(tmp_path / "run", "probe-turns", {"example": [1], "step": [30], "right": [1]}, 1)
    return tmp_path / "run"


def test_sessions_are_joined_as_one_run(folder):
    probe = runopsy.read(folder).examples["probe"]
    assert probe.first.tolist() == [5, 25]
    assert probe.learnt.tolist() == [20, 30]
    assert probe.forgotten.tolist() == [1, 2]
    assert probe.readings == 40
    np.testing.assert_allclose(probe.confidence, [0.95, 0.5])
    np.testing.assert_allclose(probe.margin, [0.9, 0.05])
    square = (10 * (0.1**2 + 0.2**2) + 30 * (0.3**2 + 0.6**2)) / 40
    assert probe.variability[1] == pytest.approx(np.sqrt(square - 0.25))
    assert probe.turns.step.tolist() == [0, 0, 5, 30]


def test_a_damaged_table_costs_the_others_nothing_and_is_noted(folder):
    (folder / "examples/0001-probe.parquet").write_bytes(b"PAR1 nothing of the kind")
    run = runopsy.read(folder)
    assert run.examples["probe"].first.tolist()[0] == 5
    assert any("examples/0001-probe.parquet" in note for note in run.notes)


def test_sessions_that_watched_other_examples_are_left_out_with_a_note(folder):
    write_table(folder, "probe", {"first_right": [1], "last_wrong": [0], "forgotten": [0], "right": [1]}, 2)
    run = runopsy.read(folder)
    assert len(run.examples["probe"]) == 1
    assert any("2 sessions watched other examples" in note for note in run.notes)


def test_a_table_of_an_older_recorder_is_read_as_far_as_it_goes(tmp_path):
    run = runopsy.record(tmp_path / "run", signals="scalars")
    run.finish()
    write_table(tmp_path / "run", "probe", {"first_right": [5, 0, None], "last_wrong": [40, None, 90],
                                            "forgotten": [1, 0, 0], "right": [1, 1, 0]}, 0)  # fmt: skip
    probe = runopsy.read(tmp_path / "run").examples["probe"]
    np.testing.assert_array_equal(probe.learnt, [40, 0, np.nan])
    assert watched_examples({"probe": probe}).why == "an older recorder kept no margins"


def test_a_log_without_examples_loads_nothing_of_them(tmp_path):
    import subprocess

    (tmp_path / "a.csv").write_text("step,train/loss\n" + "".join(f"{i},{1 / (1 + i)}\n" for i in range(50)))
    code = (
        f"import runopsy, sys; runopsy.analyze({str(tmp_path / 'a.csv')!r}); print('runopsy.examples' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture
def call(monkeypatch, capsys):
    from runopsy import cli

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["runopsy", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def test_the_command_writes_a_page_a_list_and_an_object(call, folder, tmp_path):
    code, out, _ = call("examples", folder)
    assert code == 0
    assert "training  2" in out
    code, _, err = call("examples", folder, "-o", tmp_path / "ids.csv")
    assert (code, err) == (0, f"wrote {tmp_path / 'ids.csv'}\n")
    head, *rows = (tmp_path / "ids.csv").read_text().splitlines()
    assert head.startswith("rank,example,given,rather,margin")
    assert [row.split(",")[:2] for row in rows] == [["1", "1"], ["2", "0"]]
    _, out, _ = call("examples", folder, "--format", "json")
    assert json.loads(out)["groups"][0]["examples"] == 2
    for suffix in ("md", "html"):
        assert call("examples", folder, "-o", tmp_path / f"page.{suffix}", "-q") == (0, "", "")
    assert (tmp_path / "page_files/cartography.svg").exists()


def test_the_command_says_what_is_missing(call, tmp_path):
    (tmp_path / "a.csv").write_text("step,train/loss\n1,2\n2,1\n3,0.5\n")
    code, _, err = call("examples", tmp_path / "a.csv")
    assert code == 2
    assert "no examples that were watched" in err


def test_the_object_of_an_autopsy_holds_what_the_examples_say(folder):
    found = runopsy.analyze(folder).to_dict()
    assert found["examples"]["groups"][0]["quartiles"] == [20, 20, 30]
    assert found["examples"]["mislabelled"]["named"] == 0


def test_cannot_judge_is_what_the_verb_raises():
    from runopsy.cli.examples import _watched

    with pytest.raises(CannotJudge):
        _watched(runopsy.model.Run("a", "a", "step", {}))
