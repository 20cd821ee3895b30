"""How commands fail: messages on stderr and an exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from glam_shared.errors import GlamBaseError

FAILED = 1
"""Exit code: something failed at run time."""
WRONG = 2
"""Exit code: wrong usage, declaration or configuration."""
PENDING = 3
"""Exit code of `plan`: something is to be done."""


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn our own errors into their message: 2 for wrong usage, 1 for what failed at run time.

    What is raised inside of a user's module keeps its traceback.
    """
    from glam_shared.errors import GlamBaseError  # noqa: PLC0415 - --help needs no errors

    try:
        yield
    except GlamBaseError as error:
        for problem in each_of(error):
            _say(problem)
        raise typer.Exit(code_of(error)) from None


def code_of(error: GlamBaseError) -> int:
    """The exit code for one of our errors."""
    from glam_shared.errors import ConfigurationError  # noqa: PLC0415
    from glam_worker.errors import (  # noqa: PLC0415
        DeclarationError,
        MissingExtraError,
        ModuleLoadError,
        Problems,
        UsageError,
    )

    wrong = (
        *(ConfigurationError, DeclarationError, MissingExtraError, ModuleLoadError),
        *(Problems, UsageError),
    )
    return WRONG if isinstance(error, wrong) else FAILED


def each_of(error: GlamBaseError) -> tuple[GlamBaseError, ...]:
    """What one error stands for, where it stands for several."""
    from glam_worker.errors import DeclarationErrors, Problems  # noqa: PLC0415

    if isinstance(error, Problems):
        return error.problems
    return error.mistakes if isinstance(error, DeclarationErrors) else (error,)


def _say(problem: GlamBaseError) -> None:
    from glam_worker.errors import LifespanError, ModuleRaisedError  # noqa: PLC0415
    from glam_worker.traces import users_traceback  # noqa: PLC0415

    raised = isinstance(problem, ModuleRaisedError | LifespanError)
    if raised and problem.__cause__ is not None:
        sys.stderr.write(users_traceback(problem.__cause__))
    for line in str(problem).splitlines():
        typer.echo(f"glam-worker: {line}", err=True)
