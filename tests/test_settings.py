import pytest

from runopsy import settings
from runopsy.errors import BadOption
from runopsy.plugins import load
from runopsy.rules import RULES


def write(tmp_path, text, name="runopsy.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_hold(tmp_path):
    assert settings.load() == settings.Settings()


def test_a_file_maps_roles_picks_the_axis_and_sets_thresholds(tmp_path):
    path = write(tmp_path, 'x = "epoch"\n[map]\n"val/loss" = "nll"\n[thresholds]\nlate_gain = 0.2\n')
    assert settings.load(path) == settings.Settings({"val/loss": "nll"}, "epoch", None, {"late_gain": 0.2})


def test_one_signal_may_have_thresholds_of_its_own(tmp_path):
    path = write(tmp_path, '[thresholds]\nsure = 4\n[thresholds."grad/norm"]\noutlier = 20\n')
    assert settings.load(path).thresholds == {"sure": 4, "grad/norm": {"outlier": 20}}


def test_thresholds_by_rule_are_kept_for_whoever_tells_their_new_names(tmp_path):
    assert settings.load(write(tmp_path, "[rules.S01]\nratio = 2.0\n")).rules == {"S01": {"ratio": 2.0}}


def test_the_pyproject_of_the_working_directory_is_found(tmp_path):
    write(tmp_path, "[tool.runopsy.thresholds]\nsure = 2.0\n[tool.other]\nx = 1\n", "pyproject.toml")
    assert settings.load().thresholds == {"sure": 2.0}


def test_a_table_says_what_cuts_curves(tmp_path):
    path = write(tmp_path, '[segmenter]\nsearch = "Binseg"\ncost = "l2"\n')
    assert settings.load(path).segmenter == {"search": "Binseg", "cost": "l2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("segmenter = 3", "tables"),
        ("x = [", "no TOML"),
        ("colour = 1", "colour"),
        ("map = 3", "tables"),
        ("thresholds = 3", "tables"),
    ],
)
def test_a_file_that_means_nothing_is_refused(tmp_path, text, said):
    with pytest.raises(BadOption, match=said):
        settings.load(write(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadOption, match="cannot be read"):
        settings.load(tmp_path / "none.toml")


def test_a_dotted_path_loads_the_object_it_names():
    assert load("runopsy.rules:RULES") is RULES


@pytest.mark.parametrize("path", ["runopsy.rules", "runopsy.rules:", "no.such:thing", "runopsy.rules:NOTHING", ":x"])
def test_a_dotted_path_to_nothing_is_refused(path):
    with pytest.raises(BadOption):
        load(path)
