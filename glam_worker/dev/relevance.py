"""Which changes of files concern a running worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class Relevance:
    """Picks, from files that changed, those for which the worker must be started again.

    * files that it has loaded, and ``.env`` of the working directory;
    * new files in its ``packages``.
    """

    def __init__(self, packages: Sequence[Path]) -> None:
        self._packages = packages
        self._dotenv = Path.cwd() / ".env"
        self._there: set[Path] = set()
        self.passed_over: set[Path] = set()
        """What changed since the start and did not concern it, as far as is known."""

    def started(self) -> None:
        """The worker starts with the files as they are now."""
        self.passed_over.clear()
        self._there = {file for package in self._packages for file in package.rglob("*.py")}

    def of(self, changed: Sequence[Path], loaded: set[Path]) -> list[Path]:
        """Those of ``changed``, and of what changed before it was loaded, that concern it."""
        files = {path.resolve() for path in changed} | self.passed_over
        concern = {file for file in files if file in loaded or self._counts(file)}
        self.passed_over = files - concern
        return sorted(concern)

    def _counts(self, file: Path) -> bool:
        new = file not in self._there and file.exists()
        return file == self._dotenv or (new and any(map(file.is_relative_to, self._packages)))
