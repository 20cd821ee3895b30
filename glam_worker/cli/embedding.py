"""A server of our own around a command, where the settings ask for one."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from glam_worker.cli.printing import note

if TYPE_CHECKING:
    from glam_worker.dev.server import EmbeddedServer
    from glam_worker.settings import Settings

_LOOK = 1.0
"""Seconds between two looks whether the server still runs."""
USUAL_PORT = 4222
"""Taken if it is free, so that other commands find the server without ``--servers``."""


@contextlib.contextmanager
def own_server(settings: Settings) -> Iterator[Settings]:
    """The settings to connect with: those of an embedded server, if it is asked for.

    The process is told to stop when that server has ended. Raises ConfigurationError for
    credentials and certificates that cannot be read, and EmbeddedServerError where it ended.
    """
    if not settings.embedded:
        settings.check_files()
        yield settings
        return
    if "nats_servers" in settings.model_fields_set:
        note("glam-worker: warning: GLAM_NATS_SERVERS has no effect: the embedded server is used")
    with embedded_server() as server:
        done = threading.Event()
        threading.Thread(target=_stop_with, args=(server, done), daemon=True).start()
        yield settings.at(server.url)
        done.set()
        _check_runs(server)


def _stop_with(server: EmbeddedServer, done: threading.Event) -> None:
    while not done.wait(_LOOK):
        if trouble := server.trouble():
            note(f"glam-worker: {trouble}")
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _check_runs(server: EmbeddedServer) -> None:
    from glam_worker.errors import EmbeddedServerError  # noqa: PLC0415 - only for such a server

    if server.trouble():
        raise EmbeddedServerError("stopped, as its nats-server had ended")


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
