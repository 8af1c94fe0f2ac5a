"""A file that is replaced is the old one or the new one, never a part."""

import os

import pytest

from runopsy.atomic import replacing


@pytest.mark.parametrize("sync", [False, True])
def test_what_was_written_takes_the_place_of_the_old_file(tmp_path, sync):
    file = tmp_path / "a.json"
    file.write_text("old")
    with replacing(file, sync=sync) as draft:
        draft.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("cause", [ValueError, KeyboardInterrupt, OSError])
def test_where_writing_fails_the_old_file_stays_alone(tmp_path, cause):
    file = tmp_path / "a.json"
    file.write_text("old")

    def fails():
        with replacing(file) as draft:
            draft.write_text("ne")
            raise cause

    with pytest.raises(cause):
        fails()
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_that_is_gone_is_the_error_of_writing(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "none" / "a.json") as draft:
        draft.write_text("new")
