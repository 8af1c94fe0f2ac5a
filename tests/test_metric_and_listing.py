"""`--metric`, `signals --format json`, and what a refusal says about the columns that it found."""

from __future__ import annotations

import json
import sys

import pytest

import runopsy
from runopsy import cli
from runopsy.errors import BadOption, CannotJudge


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["runopsy", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture
def detector(tmp_path):
    """Losses in parts on both sides, one cell infinite, a score that rises, an accuracy in percent."""
    head = (
        "epoch,train/box_loss,train/cls_loss,val/box_loss,val/cls_loss,metrics/mAP50(B),metrics/mAP50-95(B),val_acc\n"
    )
    rows = [
        f"{e},{'inf' if e == 7 else 3 / e},{2 / e},{3 / e + 0.1},{2 / e + 0.1},"
        f"{1 - 1 / e},{0.8 - 0.8 / e},{90 - 80 / e}"
        for e in range(1, 41)
    ]
    path = tmp_path / "results.csv"
    path.write_text(head + "\n".join(rows) + "\n")
    return path


def columns(out: str) -> dict[str, dict]:
    return {column["name"]: column for column in json.loads(out)["columns"]}


def test_the_listing_is_one_object_with_numbers_in_the_unit_of_the_role(call, detector):
    code, out, err = call("signals", detector, "--format", "json")
    assert (code, err) == (0, "")
    found, whole = columns(out), json.loads(out)
    assert (whole["axis"], whole["missing"]) == ("epoch", [])
    accuracy = found["val_acc"]
    assert {key: accuracy[key] for key in ("role", "direction", "values", "from", "to")} == {
        "role": "val/acc", "direction": "higher", "values": 40, "from": 1, "to": 40,
    }  # fmt: skip
    assert (accuracy["first"], accuracy["last"]) == (pytest.approx(0.1), pytest.approx(0.88))
    assert (accuracy["least"], accuracy["most"]) == (pytest.approx(0.1), pytest.approx(0.88))
    total = found["train/box_loss + train/cls_loss"]
    assert (total["role"], total["last"]) == ("train/loss", pytest.approx(5 / 40))
    assert total["most"] == pytest.approx(5.0)  # what is not finite is none of the numbers
    assert set(accuracy) >= {
        "name",
        "role",
        "direction",
        "values",
        "from",
        "to",
        "first",
        "last",
        "least",
        "most",
        "why",
    }


def test_a_column_without_one_finite_value_has_no_numbers(call, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,loss,kl\n1,3,nan\n2,2,nan\n3,1,nan\n")
    kl = columns(call("signals", path, "-f", "json")[1])["kl"]
    assert (kl["values"], kl["first"], kl["last"], kl["least"], kl["most"]) == (3, None, None, None, None)


def test_every_run_of_several_is_one_of_a_list(call, tmp_path):
    path = tmp_path / "sweep.csv"
    path.write_text("seed,step,loss\n" + "".join(f"{s},{i},{3 - i / 9}\n" for s in (1, 2) for i in range(9)))
    assert [len(run["columns"]) for run in json.loads(call("signals", path, "--run", "all", "-f", "json")[1])] == [1, 1]


def test_the_listing_says_what_is_missing_and_which_map_gives_it(call, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,policy_loss,value_loss\n" + "".join(f"{i},{3 - i},{2 + i}\n" for i in range(9)))
    out = call("signals", path)[1]
    assert "Missing" in out
    assert "--map train/loss=policy_loss" in out
    assert json.loads(call("signals", path, "-f", "json")[1])["missing"][0]["do"] == "--map train/loss=policy_loss"


def test_a_metric_is_chosen_on_the_command_line_in_settings_and_in_python(call, detector, tmp_path):
    def chosen(*more) -> list[str]:
        return [
            name for name, row in columns(call("signals", detector, "-f", "json", *more)[1]).items() if row["chosen"]
        ]

    assert chosen() == []
    assert chosen("--metric", "mAP50(B)") == ["metrics/mAP50(B)"]
    settings = tmp_path / "settings.toml"
    settings.write_text('metric = "metrics/mAP50(B)"\n')
    assert chosen("--config", settings) == ["metrics/mAP50(B)"]
    roles = {role.role: role for role in runopsy.analyze(detector, metric="val_acc").roles if role.chosen}
    assert list(roles) == ["val/acc"]
    assert json.loads(call("analyze", detector, "--metric", "mAP50(B)", "-f", "json")[1])["roles"]["val/metric"] == (
        "metrics/mAP50(B)"
    )


def test_a_metric_that_is_not_there_is_refused_with_those_that_are(call, detector):
    code, _, err = call("analyze", detector, "--metric", "mAP75")
    assert code == 2
    assert "is no column of this log" in err
    with pytest.raises(BadOption, match="fits 2 columns"):
        runopsy.analyze(detector, metric="box_loss")


def test_a_refusal_never_denies_a_loss_that_it_lists(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,actor_loss,critic_loss\n" + "".join(f"{i},{3 - i},{2 + i}\n" for i in range(9)))
    with pytest.raises(CannotJudge, match="found actor_loss, critic_loss") as raised:
        runopsy.analyze(path)
    assert "no column" not in str(raised.value)
    assert "--map train/loss=" in raised.value.hint
