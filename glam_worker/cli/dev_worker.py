"""The process that ``glam-worker dev`` starts again on every change; not for people.

``python -m glam_worker.cli.dev_worker PIPE LOADED MODULE...``: the settings come through the
first pipe; into the second go the names of loaded files.
"""

from __future__ import annotations

import os
import sys

import typer

from glam_worker.cli.failing import explained

STOP_MARGIN = 5.0
"""Seconds beyond the grace period that it may take to stop."""


def main() -> None:
    """Work until told to stop, or until the parent is gone."""
    from glam_worker.cli.run import work  # noqa: PLC0415 - user's mistakes come first
    from glam_worker.dev.leash import hold  # noqa: PLC0415
    from glam_worker.dev.loaded import tell  # noqa: PLC0415
    from glam_worker.supervisor.handover import taken_over  # noqa: PLC0415

    pipe = os.fdopen(int(sys.argv[1]), "rb", buffering=0)
    settings = taken_over(pipe.readline())
    hold(pipe, settings.shutdown_grace + STOP_MARGIN)
    tell(int(sys.argv[2]))
    with explained():
        raise typer.Exit(work(sys.argv[3:], settings))


if __name__ == "__main__":
    try:
        main()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
