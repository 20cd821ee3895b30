"""Mistakes in declarations: where they are, and that all of them are told at once."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from glam_worker.errors import DeclarationError, DeclarationErrors

_NOT_THE_USERS = ("glam_worker", "contextlib", "dataclasses")

_collected: ContextVar[list[DeclarationError] | None] = ContextVar("mistakes", default=None)


@contextlib.contextmanager
def collecting_mistakes() -> Iterator[list[DeclarationError]]:
    """Within it, a wrong declaration is noted and passed over instead of raised."""
    mistakes: list[DeclarationError] = []
    token = _collected.set(mistakes)
    try:
        yield mistakes
    finally:
        _collected.reset(token)


@contextlib.contextmanager
def noting() -> Iterator[None]:
    """Raise a mistake, or note it where mistakes are being collected."""
    try:
        yield
    except DeclarationError as error:
        collected = _collected.get()
        if collected is None:
            raise
        collected += error.each


class Checks:
    """Checks of one declaration: each is made, then all that failed are raised together.

    ``where`` tells the place of a mistake; it is asked when there is one.
    """

    def __init__(self, where: Callable[[], str | None] = lambda: None) -> None:
        self._where = where
        self.mistakes: list[DeclarationError] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Go on after a mistake in here."""
        try:
            yield
        except DeclarationError as error:
            self.mistakes += (mistake.placed(self._where()) for mistake in error.each)

    def wrong(self, problem: str) -> None:
        """Note a mistake."""
        self.mistakes.append(DeclarationError(problem, where=self._where()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise DeclarationError for one mistake, DeclarationErrors for several."""
        if kind is not None or not self.mistakes:
            return
        if len(self.mistakes) == 1:
            raise self.mistakes[0] from self.mistakes[0].__cause__
        raise DeclarationErrors(self.mistakes)


def place_of(function: Callable[..., Any]) -> str:
    """``file:line`` of a function, relative to the working directory where that is shorter.

    Of what has no code of its own, such as a class: the line that declares it.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return calling_place() or f"{function!r}"
    return _shown(code.co_filename, code.co_firstlineno)


def calling_place() -> str | None:
    """``file:line`` of the user's line that is being executed; None outside of user's code."""
    frame = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _NOT_THE_USERS:
            return _shown(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _shown(file: str, line: int) -> str:
    path = Path(file)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{line}"
