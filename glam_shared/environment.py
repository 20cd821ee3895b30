"""Variables of development, from the repository's `.env`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dotenv import load_dotenv

__all__ = ["load_root_env"]

_CONTAINER_MARK = Path("/.dockerenv")
_ROOT_MARKS = (".git", "pyproject.toml")


def load_root_env(start: str | Path | None = None) -> Path | None:
    """Read the nearest `.env` from *start* (the working directory) up to the repository root.

    The root is the first directory with a `.git` or a `pyproject.toml`. Variables that are set are
    never overridden. Inside a container nothing is read: there the platform sets the environment.
    Returns the file that was read, or None.
    """
    if _CONTAINER_MARK.exists():
        return None
    found = next((file for file in _candidates(start) if file.is_file()), None)
    if found is not None:
        load_dotenv(found, override=False)
    return found


def _candidates(start: str | Path | None) -> Iterator[Path]:
    here = Path(start or Path.cwd()).resolve()
    for directory in (here, *here.parents):
        yield directory / ".env"
        if any((directory / mark).exists() for mark in _ROOT_MARKS):
            return
