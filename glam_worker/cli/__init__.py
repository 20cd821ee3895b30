"""The command line: parses, calls, prints. One file per command."""

from __future__ import annotations


def main() -> None:
    """Entry point of ``glam-worker``."""
    from glam_worker.cli.app import app  # noqa: PLC0415 - importing the package costs nothing

    app()
