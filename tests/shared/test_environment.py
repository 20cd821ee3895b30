"""Where a `.env` is looked for, and when it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_shared import environment, load_root_env


@pytest.fixture(autouse=True)
def no_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Outside of a container, and with an environment that is put back."""
    monkeypatch.setattr(environment, "_CONTAINER_MARK", tmp_path / "no-such-mark")
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def repository(tmp_path: Path, mark: str = ".git") -> Path:
    root = tmp_path / "repository"
    (root / "service" / "deep").mkdir(parents=True)
    (root / mark).mkdir()
    return root


def test_the_nearest_file_upward_is_read(tmp_path: Path) -> None:
    """Of two files on the way up the nearer one is read, alone."""
    root = repository(tmp_path)
    (root / ".env").write_text("GLAM_T_FAR=1\n")
    (root / "service" / ".env").write_text("GLAM_T_NEAR=1\n")

    assert root / "service" / ".env" == load_root_env(root / "service" / "deep")
    assert ("1", None) == (os.environ.get("GLAM_T_NEAR"), os.environ.get("GLAM_T_FAR"))


def test_the_working_directory_is_where_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a start the search begins in the working directory."""
    root = repository(tmp_path)
    (root / ".env").write_text("GLAM_T_CWD=yes\n")
    monkeypatch.chdir(root / "service")

    assert root / ".env" == load_root_env()
    assert "yes" == os.environ["GLAM_T_CWD"]


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_nothing_above_the_repository_root_is_read(tmp_path: Path, mark: str) -> None:
    """A file above the first directory with a `.git` or `pyproject.toml` is not found."""
    root = repository(tmp_path, mark)
    (tmp_path / ".env").write_text("GLAM_T_ABOVE=1\n")

    assert load_root_env(root / "service") is None
    assert "GLAM_T_ABOVE" not in os.environ


def test_variables_that_are_set_are_not_overridden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is set, even to nothing, stays as it is."""
    root = repository(tmp_path)
    (root / ".env").write_text("GLAM_T_SET=file\nGLAM_T_EMPTY=file\n")
    monkeypatch.setenv("GLAM_T_SET", "shell")
    monkeypatch.setenv("GLAM_T_EMPTY", "")

    load_root_env(root)

    assert ("shell", "") == (os.environ["GLAM_T_SET"], os.environ["GLAM_T_EMPTY"])


def test_nothing_is_read_inside_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the container's mark present no file is read."""
    root = repository(tmp_path)
    (root / ".env").write_text("GLAM_T_BOX=1\n")
    (tmp_path / "mark").touch()
    monkeypatch.setattr(environment, "_CONTAINER_MARK", tmp_path / "mark")

    assert load_root_env(root) is None
    assert "GLAM_T_BOX" not in os.environ
