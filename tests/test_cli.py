"""Words in, words out: what each verb prints, where, and how it exits."""

import io
import json
import shlex
import subprocess
import sys

import pytest

import planted
from patience import HANGS
from runopsy import cli
from runopsy.kinds import KINDS
from runopsy.rules import RULES
from runopsy.standards import Standards
from runopsy.verdicts import VERDICTS


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def run(*words, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["runopsy", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def csv(run):
    frame = {name: track.value for name, track in run.tracks.items()}
    step = next(iter(run.tracks.values())).step
    rows = zip(step.astype(int), *frame.values(), strict=True)
    return "\n".join([",".join(["step", *frame]), *(",".join(map(repr, map(float, row))) for row in rows)]) + "\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(csv(planted.grokking()))
    return path


def test_analyze_prints_the_report_on_stdout_and_nothing_else(call, log):
    code, out, err = call("analyze", log)
    assert (code, err) == (0, "")
    assert "GROKKED" in out


def test_analyze_reads_standard_input(call, log):
    code, out, _ = call("analyze", "-", stdin=log.read_bytes())
    assert code == 0
    assert out.startswith("standard input")
    assert "GROKKED" in out


@pytest.mark.parametrize("verb", ["analyze", "report"])
def test_the_checklist_stands_on_the_screen_and_in_the_data(call, log, tmp_path, verb):
    code, out, err = call(verb, log, "--checklist")
    assert (code, err) == (0, "")
    assert "GROKKED" in out  # the first screen comes with it
    assert "logs reviewed" in out
    assert "Thresholds" not in out
    assert call(verb, log, "--checklist", "-o", tmp_path / "a.json")[0] == 0
    asked = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["checklist"]
    assert [item["reply"] for item in asked].count("unknown") == 4


def test_the_checklist_asks_the_library_that_is_named(call, log, tmp_path):
    kept = tmp_path / "lib.sqlite"
    assert call("library", "add", log, "--library", kept, "--kind", "a on b")[0] == 0
    out = call("report", log, "--checklist", "--library", kept, "--kind", "a on b", "-f", "json")[1]
    found = {item["question"]: item for item in json.loads(out)["checklist"]}
    assert found["patterns by architecture"]["reply"] == "no"  # the run itself does not count
    assert "0 other runs of a on b" in found["patterns by architecture"]["evidence"]


def test_json_is_one_object(call, log):
    assert json.loads(call("analyze", log, "--format", "json")[1])["verdict"] == "grokked"


def test_the_format_is_guessed_from_the_file_to_write(call, log, tmp_path):
    code, out, err = call("analyze", log, "-o", tmp_path / "a.json")
    assert (code, out) == (0, "")
    assert err.strip() == f"wrote {tmp_path / 'a.json'}"
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["verdict"] == "grokked"
    assert call("analyze", log, "-o", tmp_path / "a.txt", "--quiet")[2] == ""
    assert "GROKKED" in (tmp_path / "a.txt").read_text(encoding="utf-8")


def test_verbose_adds_what_the_screen_leaves_out_and_says_how_to_ask_for_it(call, log):
    brief, full = call("analyze", log)[1], call("analyze", log, "-v")[1]
    assert "\nEvidence\n" not in brief
    assert "-v: curves, evidence" in brief
    assert "\nEvidence\n" in full
    assert "\nThresholds\n" in full
    assert "-v adds" not in full


def test_report_writes_a_page_with_its_picture_beside_it(call, log, tmp_path):
    code, out, err = call("report", log, "-o", tmp_path / "autopsy.md")
    picture = tmp_path / "autopsy_files" / "timeline.svg"
    assert (code, out) == (0, "")
    assert err.splitlines() == [f"wrote {tmp_path / 'autopsy.md'}", f"wrote {picture}"]
    assert "](autopsy_files/timeline.svg)" in (tmp_path / "autopsy.md").read_text(encoding="utf-8")
    assert picture.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("name", "head"), [("a.md", "# Grokked"), ("a.html", "<!doctype html>"), ("a.json", "{"), ("a.txt", "metrics")]
)
def test_report_guesses_the_format_from_the_file_to_write(call, log, tmp_path, name, head):
    assert call("report", log, "-o", tmp_path / name, "-q") == (0, "", "")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(head)


@pytest.mark.parametrize(("format", "head"), [((), "# Grokked"), (("-f", "html"), "<!doctype"), (("-f", "json"), "{")])
def test_report_without_a_file_prints(call, log, format, head, tmp_path):
    before = sorted(tmp_path.iterdir())
    code, out, _ = call("report", log, *format)
    assert code == 0
    assert out.startswith(head)
    assert sorted(tmp_path.iterdir()) == before


def test_report_embeds_its_picture_when_asked(call, log, tmp_path):
    call("report", log, "-o", tmp_path / "a.md", "--embed")
    assert "(data:image/svg+xml;base64," in (tmp_path / "a.md").read_text(encoding="utf-8")
    assert not (tmp_path / "a_files").exists()


def test_report_writes_figures_for_a_paper_and_nothing_else(call, log, tmp_path):
    code, out, err = call("report", log, "--figures", tmp_path / "figures", "--suffix", "svg")
    assert (code, out) == (0, "")
    assert [f.name for f in (tmp_path / "figures").iterdir()] == ["timeline.svg"]
    assert "wrote" in err


def test_a_price_alone_is_that_of_one_gpu(call, tmp_path):
    log = tmp_path / "metrics.csv"
    log.write_text(csv(planted.overfitting()))
    assert "What that cost is not known" in call("report", log, "--price", "2")[1]
    assert "cost" not in call("report", log)[1].split("## What to try next")[0]


def test_a_dash_as_output_is_the_screen(call, log):
    assert "GROKKED" in call("analyze", log, "-o", "-")[1]


def test_map_overrides_a_role(call, log):
    facts = json.loads(call("analyze", log, "--map", "val/loss=train/loss", "--format", "json")[1])
    assert facts["roles"]["val/loss"] == "train/loss"


@pytest.mark.parametrize(
    "words",
    [("--map", "val/loss"), ("--map", "val/loss=none"), ("--map", "no/role=train/loss"), ("--x", "tokens"),
     ("--config", "none.toml"), ("--fail-on", "groking"), ("-o", "/no/such/folder/x.json")],
)  # fmt: skip
def test_an_option_that_fits_nothing_is_one_line_and_one_hint(call, log, words):
    code, out, err = call("analyze", log, *words)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 2


@pytest.mark.parametrize("words", [("--format", "pdf"), ("--nonsense",), ()])
def test_wrong_usage_exits_with_2(call, words):
    assert call("analyze", *words)[0] == 2


def test_fail_on_exits_with_1_when_it_matches_and_still_prints(call, log):
    code, out, err = call("analyze", log, "--fail-on", "divergence,grokking")
    assert code == 1
    assert "GROKKED" in out
    assert "grokking" in err


def test_fail_on_knows_verdicts_too(call, log):
    assert call("analyze", log, "--fail-on", "grokked")[0] == 1
    assert call("analyze", log, "--fail-on", "overfit,divergence")[0] == 0


def test_every_kind_a_rule_can_find_can_be_gated():
    assert {row.verdict for row in VERDICTS} >= {
        "healthy",
        "overfit",
        "memorized",
        "grokked",
        "diverged",
        "inconclusive",
    }
    assert {kind for rule in RULES for kind in rule.kinds} <= {*KINDS}


def test_a_fault_of_our_own_exits_with_3_and_says_so(call, log, monkeypatch):
    monkeypatch.setattr("runopsy.autopsy.analyze", lambda *_, **__: 1 / 0)
    code, out, err = call("analyze", log)
    assert (code, out) == (3, "")
    assert "ZeroDivisionError" in err
    assert "Traceback" not in err


def test_signals_shows_every_column_with_its_role_and_why(call, log):
    code, out, _ = call("signals", log)
    assert code == 0
    for word in ("train/loss", "val/acc", "names val and acc", "--map"):
        assert word in out


def test_rules_lists_every_rule_and_explain_gives_every_reason(call):
    listed = call("rules")[1]
    for rule in Standards().rules:
        assert rule.code in listed
        code, out, _ = call("explain", rule.code.lower())
        assert code == 0
        for name in rule.uses:
            assert f"{name} = " in out, f"{rule.code}: every threshold has its row"


def test_explain_states_the_meaning_of_a_kind_and_of_a_threshold_in_full_sentences(call):
    kind, threshold = call("explain", "grokking")[1], call("explain", "gap")[1]
    assert "late_gain = 0.3" in kind
    assert "is a gap" in threshold
    assert "M02" in threshold


def test_explain_without_a_name_lists_all_names_and_a_plural_explains_all_of_a_sort(call):
    assert "features/effective_rank" in call("explain")[1]
    assert call("explain", "phases")[1].count("phase\n") == 6


def test_explain_shows_a_threshold_as_the_settings_have_it(call, tmp_path):
    settings = tmp_path / "own.toml"
    settings.write_text("[thresholds]\nlate_gain = 0.2\n")
    assert "0.2 of accuracy (default 0.3)" in call("explain", "late_gain", "--config", settings)[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rules.G01]\nlate_gain = 0.2\n", "[thresholds] late_gain"),
        ("[rules.P01]\nwindow = 0.2\n", "[thresholds] beside"),
        ("[thresholds]\nlate_gain = 7\n", "outside its domain"),
        ("[thresholds]\nlate_gain = 'a'\n", "no number"),
        ("[thresholds]\nnothing = 1\n", "no threshold 'nothing'"),
    ],
)
def test_a_threshold_that_does_not_fit_is_refused_in_one_line(call, log, tmp_path, text, said):
    settings = tmp_path / "own.toml"
    settings.write_text(text)
    code, out, err = call("analyze", log, "--config", settings)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[0]


def test_explaining_what_does_not_exist_names_what_is_nearest(call):
    code, _, err = call("explain", "Z99")
    assert code == 2
    assert "G01" in err
    assert "features/effective_rank" in call("explain", "effctive_rank")[2]
    assert "gap" in call("explain", "share")[2]  # a threshold of version 0.1


def test_the_version_is_printed_alone(call):
    assert call("--version")[1].startswith("runopsy 0.")


@pytest.fixture
def later(tmp_path):
    path = tmp_path / "later.csv"
    path.write_text(csv(planted.grokking(half=2500.0)))
    return path


def test_diff_prints_what_moved_on_stdout_and_nothing_else(call, log, later):
    code, out, err = call("diff", log, later)
    assert (code, err) == (0, "")
    assert out.startswith("A: metrics  ·  B: later")
    assert "grokking comes" in " ".join(out.split())


def test_diff_reads_one_of_the_two_from_standard_input(call, log, later):
    code, out, _ = call("diff", log, "-", stdin=later.read_bytes())
    assert code == 0
    assert "B: standard input" in out
    assert call("diff", "-", "-")[0] == 2


def test_diff_takes_sets_with_vs_between_them(call, tmp_path):
    for half in (1200, 1300, 1400, 2200, 2300, 2400):
        (tmp_path / f"{half}.csv").write_text(csv(planted.grokking(half=float(half), seed=half)))
    a, b = ([tmp_path / f"{h + 100 * k}.csv" for k in range(3)] for h in (1200, 2200))
    code, out, _ = call("diff", *a, "vs", *b, "--format", "json")
    told = json.loads(out)
    assert code == 0
    assert (len(told["a"]), len(told["b"]), told["outcome"]) == (3, 3, "different")


@pytest.mark.parametrize("words", [["A"], ["A", "B", "C"], ["vs", "B"], ["A", "vs"], ["A", "vs", "B", "vs", "C"]])
def test_diff_says_how_it_wants_its_runs(call, words):
    code, out, err = call("diff", *words)
    assert (code, out) == (2, "")
    assert "runopsy diff A1 A2 A3 vs B1 B2 B3" in err


def test_diff_writes_pages_and_json_by_the_name_of_the_file(call, log, later, tmp_path):
    for suffix, begins in (("md", "# "), ("html", "<!"), ("json", "{")):
        code, out, err = call("diff", log, later, "-o", tmp_path / f"d.{suffix}")
        assert (code, out) == (0, "")
        assert f"wrote {tmp_path / f'd.{suffix}'}" in err
        assert (tmp_path / f"d.{suffix}").read_text(encoding="utf-8").startswith(begins)


def test_diff_lays_runs_on_the_axis_that_is_asked_for(call, log, later):
    assert json.loads(call("diff", log, later, "--align", "loss", "--format", "json")[1])["align"] == "loss"
    code, _, err = call("diff", log, later, "--align", "time")
    assert code == 2
    assert "the log has no times" in err


def test_a_gate_of_diff_exits_with_one_and_says_which(call, log, later):
    code, out, err = call("diff", log, later, "--fail-on", "later:grokking,new:divergence")
    assert code == 1
    assert err.strip() == "--fail-on matched: later:grokking"
    assert "DIFFERENT" in out
    assert call("diff", later, log, "--fail-on", "later:grokking,new:divergence,verdict")[0] == 0


def test_a_gate_that_means_nothing_is_refused_with_the_words_there_are(call, log, later):
    code, out, err = call("diff", log, later, "--fail-on", "slower:grokking")
    assert (code, out) == (2, "")
    assert "later:KIND" in err


def test_lab_lists_the_knobs_and_refuses_those_that_do_not_exist(call, tmp_path):
    assert "knobs: weight_decay, lr, train_share, steps" in call("lab", "list")[1]
    code, _, err = call("lab", "grokking", "-o", tmp_path / "r", "--set", "wd=1")
    assert code == 2
    assert "weight_decay" in err
    assert call("lab", "grokking", "-o", tmp_path / "r", "--set", "weight_decay=much")[0] == 2


def test_lab_lists_its_trainings(call):
    code, out, _ = call("lab", "list")
    assert code == 0
    for name in (
        "grokking",
        "memorization",
        "overfitting",
        "healthy",
        "underfitting",
        "double-descent",
        "divergence",
        "spike",
    ):
        assert name in out


PYTHON = shlex.quote(sys.executable)  # a folder's name may hold spaces


def run_shell(command, cwd):
    return subprocess.run(command, shell=True, capture_output=True, cwd=cwd, check=False, timeout=HANGS)


def test_a_reader_that_goes_away_is_no_error(log, tmp_path):
    done = run_shell(f"{PYTHON} -m runopsy analyze {shlex.quote(str(log))} | head -1", tmp_path)
    assert done.stdout.startswith(b"metrics")
    assert done.stderr == b""


def test_a_log_alone_needs_no_parser_of_options_and_has_the_same_answer(log, tmp_path):
    script = "import sys, runopsy.cli as c\ntry: c.main()\nfinally: sys.stderr.write(str('pydantic' in sys.modules))"
    path = shlex.quote(str(log))
    alone, quiet, gone = (run_shell(f"{PYTHON} -c {shlex.quote(script)} analyze {words}", tmp_path)
                          for words in (path, f"{path} -q", f"{path}x"))  # fmt: skip
    assert (alone.returncode, alone.stdout) == (0, quiet.stdout)
    assert alone.stderr == b"False"
    assert gone.returncode == 2
    assert b"does not exist" in gone.stderr


def test_a_terminal_without_unicode_gets_ascii(log, tmp_path):
    done = run_shell(
        f"PYTHONIOENCODING=ascii PYTHONUTF8=0 {PYTHON} -m runopsy analyze {shlex.quote(str(log))}", tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert b"GROKKED" in done.stdout


def test_the_founding_rules_are_asked_where_they_are_asked_for(call, log, tmp_path):
    codes = [[c["code"] for c in json.loads(call("analyze", log, "-f", "json", *how)[1])["checks"]] for how in
             ((), ("--rules", "classic"))]  # fmt: skip
    assert "B01" not in codes[0]
    assert "B01" in codes[1]
    config = tmp_path / "own.toml"
    config.write_text('preset = "classic"\n[thresholds."train/loss"]\nsure = 4\n')
    assert "B01" in call("rules", "--config", config)[1]
    config.write_text('preset = "modern"\n')
    assert call("analyze", log, "--config", config)[0] == 2


def test_the_founding_rule_tells_how_often_it_cries_wolf(call):
    assert "63 of 100" in call("explain", "B01")[1]


SWEEP = "seed,step,train_loss,val_loss\n" + "".join(
    f"{seed},{step},{seed + 3 / (step + 1)},{seed + 4 / (step + 1)}\n" for seed in (1, 2) for step in range(40)
)


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.csv"
    path.write_text(SWEEP)
    return path


def test_several_runs_are_listed_and_one_is_chosen(call, sweep):
    code, out, err = call("analyze", sweep)
    assert (code, out) == (2, "")
    assert "seed=1" in err
    assert "--run all" in err.splitlines()[-1]
    assert call("analyze", sweep, "--run", "seed=2")[0] == 0
    assert call("signals", sweep, "--run", "1")[0] == 0


def test_all_runs_are_taken_in_turn(call, sweep):
    facts = json.loads(call("analyze", sweep, "--run", "all", "--format", "json")[1])
    assert [one["run"]["id"] for one in facts] == ["seed=1", "seed=2"]


def test_import_keeps_one_run_or_many(call, sweep, log, tmp_path):
    code, out, err = call("import", log, tmp_path / "one")
    assert (code, out) == (0, "")
    assert "wrote" in err
    assert "GROKKED" in call("analyze", tmp_path / "one")[1]
    assert call("import", sweep, tmp_path / "two", "--run", "all", "-q")[0] == 0
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["seed=1", "seed=2"]
    assert call("import", sweep, tmp_path / "three")[0] == 2


def test_diff_takes_a_stored_autopsy_as_its_baseline(call, log, tmp_path):
    call("analyze", log, "-o", tmp_path / "a.json")
    code, out, _ = call("diff", "--baseline", tmp_path / "a.json", log, "--fail-on", "verdict,lost:grokking")
    assert code == 0
    assert "curves were not compared" in " ".join(out.split())
    (tmp_path / "b.csv").write_text(csv(planted.healthy()))
    code, _, err = call("diff", "--baseline", tmp_path / "a.json", tmp_path / "b.csv", "--fail-on", "lost:grokking")
    assert (code, err) == (1, "--fail-on matched: lost:grokking\n")
    code, _, err = call("diff", "--baseline", tmp_path / "a.json", log, "vs", log)
    assert code == 2
    assert "one side" in err


def test_export_writes_a_table_and_says_so(call, log, tmp_path):
    code, out, err = call("export", log, "--to", "csv", "-o", tmp_path / "s.csv")
    assert (code, out, err) == (0, "", f"wrote {tmp_path / 's.csv'}\n")
    assert (tmp_path / "s.csv").read_text(encoding="utf-8").startswith("signal,step,time,value,phase\n")
    assert call("export", log, "--to", "csv", "-o", tmp_path / "s.xlsx")[0] == 2
    assert call("export", log, "--to", "csv", "-o", tmp_path / "t.csv", "--run", "all")[0] == 2
