"""The user's editor around a payload."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from glam_worker.cli.failing import FAILED
from glam_worker.cli.printing import note

if TYPE_CHECKING:
    from glam_worker.jetstream.stored_letters import StoredLetter


def edited_by_user(letter: StoredLetter) -> bytes:
    """The body of the letter with the payload that the user's editor leaves.

    With a terminal, a mistake can be mended in the editor. Raises UsageError for a payload that the
    handler would refuse; ends the command when nothing was changed.
    """
    from glam_worker.errors import UsageError  # noqa: PLC0415 - --help stays quick
    from glam_worker.operate.editing import editable_text, edited_body  # noqa: PLC0415

    before = editable_text(letter)
    text = before
    while True:
        text = _edit(text)
        if text == before:
            note("glam-worker: the payload was not changed; nothing was done")
            raise typer.Exit(FAILED)
        try:
            return edited_body(letter, text)
        except UsageError as error:
            if not sys.stdin.isatty():
                raise
            for line in str(error).splitlines():
                note(f"glam-worker: {line}")
            typer.confirm("Edit it again?", default=True, abort=True, err=True)


def _edit(text: str) -> str:
    """What the editor makes of a text. Raises UsageError for an editor that fails."""
    from glam_worker.errors import UsageError  # noqa: PLC0415

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="glam-worker-") as folder:
        file = Path(folder) / "payload.json"
        file.write_text(text, encoding="utf-8", newline="")
        try:
            ended = subprocess.run([*shlex.split(editor), str(file)], check=False)  # noqa: S603
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the editor {editor!r} cannot be started: {error}; set EDITOR"
            ) from None
        if ended.returncode:
            raise UsageError(f"the editor {editor!r} ended with {ended.returncode}")
        return file.read_text(encoding="utf-8", errors="surrogateescape")
