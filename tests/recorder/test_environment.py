"""Where a run was made."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from runopsy.recorder.environment import environment

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    inside = tmp_path / "repo" / "src" / "deep"
    inside.mkdir(parents=True)
    (tmp_path / "repo" / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "repo" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    monkeypatch.chdir(inside)
    return tmp_path / "repo"


def test_a_commit_is_found_in_a_loose_reference(repository: Path) -> None:
    (repository / ".git/refs/heads/main").write_text(COMMIT + "\n")
    assert environment()["git"] == COMMIT


def test_a_commit_is_found_among_packed_references(repository: Path) -> None:
    (repository / ".git/packed-refs").write_text(
        f"# pack-refs\n{'f' * 40} refs/heads/domain\n{COMMIT} refs/heads/main\n"
    )
    assert environment()["git"] == COMMIT


def test_a_detached_head_is_its_own_commit(repository: Path) -> None:
    (repository / ".git/HEAD").write_text(COMMIT + "\n")
    assert environment()["git"] == COMMIT


def test_a_repository_without_a_commit_does_not_show_its_parents(repository: Path) -> None:
    inner = repository / "src"
    (repository / ".git/refs/heads/main").write_text(COMMIT + "\n")
    (inner / ".git").mkdir()
    (inner / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert environment()["git"] is None


def test_a_worktree_shows_its_own_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / ".git/refs/heads/side").write_text(COMMIT + "\n")
    own = repository / ".git/worktrees/side"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/side\n")
    (own / "commondir").write_text("../..\n")
    tree = repository.parent / "side"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {own}\n")
    monkeypatch.chdir(tree)
    assert environment()["git"] == COMMIT


def test_a_working_directory_that_was_deleted_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path)  # restored at the end
    os.chdir("gone")
    shutil.rmtree(tmp_path / "gone")
    assert environment()["git"] is None


def test_nothing_that_is_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(sys, "argv")
    (tmp_path / ".git").write_bytes(b"\xff\xfe")
    said = environment()
    assert (said["command"], said["git"]) == (None, None)
    assert said["python"] == ".".join(map(str, sys.version_info[:3]))
