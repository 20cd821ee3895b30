"""How commands fail: one message on stderr and an exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import typer

from glam_shared.errors import ConfigurationError, GlamBaseError
from glam_worker.errors import DeclarationError, MissingExtraError, ModuleLoadError

FAILED = 1
WRONG = 2

_USAGE = (ConfigurationError, DeclarationError, ModuleLoadError, MissingExtraError)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn our own errors into their message: 2 for wrong usage, 1 for what failed at run time.

    What is raised inside of a user's module keeps its traceback, and is wrong usage too.
    """
    try:
        yield
    except GlamBaseError as error:
        typer.echo(f"glam-worker: {error}", err=True)
        raise typer.Exit(WRONG if isinstance(error, _USAGE) else FAILED) from None


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Show the user's own traceback for an error inside of the user's module."""
    try:
        yield
    except GlamBaseError:
        raise
    except (Exception, SystemExit) as error:
        _show_users_frames(error)
        raise typer.Exit(WRONG) from None


def _show_users_frames(error: BaseException) -> None:
    import traceback  # noqa: PLC0415 - only when it is needed

    frames = error.__traceback__
    ours = ("glam_worker", "importlib", "<frozen importlib")
    while frames is not None and frames.tb_next is not None:
        name = frames.tb_frame.f_globals.get("__name__", "")
        if not (name.partition(".")[0] in ours or name.startswith("importlib")):
            break
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    sys.stderr.write("".join(lines))
    typer.echo("glam-worker: the module above raised while it was imported", err=True)
