"""A server of our own around a command, where the settings ask for one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from glam_worker.cli.printing import note

if TYPE_CHECKING:
    from glam_worker.dev.server import EmbeddedServer
    from glam_worker.settings import Settings

USUAL_PORT = 4222
"""Taken if it is free, so that other commands find the server without ``--servers``."""


@contextlib.contextmanager
def own_server(settings: Settings) -> Iterator[Settings]:
    """The settings to connect with: those of an embedded server, if it is asked for.

    Raises ConfigurationError for credentials and certificates that cannot be read.
    """
    if not settings.embedded:
        settings.check_files()
        yield settings
        return
    with embedded_server() as server:
        yield settings.at(server.url)


@contextlib.contextmanager
def embedded_server() -> Iterator[EmbeddedServer]:
    """A server with its store in ``.glam/``, on the usual port if that is free."""
    with _started() as server:
        note(f"glam-worker: nats-server listens at {server.url}, its store is {server.store}")
        if server.port != USUAL_PORT:
            note(f"glam-worker: for other commands: export GLAM_NATS_SERVERS={server.url}")
        yield server


def _started() -> EmbeddedServer:
    from glam_worker.dev.ports import is_free  # noqa: PLC0415 - only for an embedded server
    from glam_worker.dev.server import EmbeddedServer  # noqa: PLC0415
    from glam_worker.errors import EmbeddedServerError  # noqa: PLC0415

    if is_free(USUAL_PORT):
        try:
            return EmbeddedServer(port=USUAL_PORT).start()
        except EmbeddedServerError:
            if is_free(USUAL_PORT):
                raise  # the port was not the matter
    return EmbeddedServer().start()
