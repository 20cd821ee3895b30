"""Asks before something is changed."""

from __future__ import annotations

import sys

import typer

from glam_worker.cli.failing import FAILED
from glam_worker.cli.printing import note


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether to go on: ``--yes``, or what the user answers. Raises UsageError without a terminal.

    The question goes to stderr, so that a document on stdout stays whole.
    """
    from glam_worker.errors import UsageError  # noqa: PLC0415 - --help stays quick

    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            f"{question} there is no terminal to ask at; give --yes to go on without being asked"
        )
    return typer.confirm(question, default=False, err=True)


def confirm(question: str, *, yes: bool) -> None:
    """The same; a no ends the command."""
    if not confirmed(question, yes=yes):
        note("glam-worker: nothing was done")
        raise typer.Exit(FAILED)
