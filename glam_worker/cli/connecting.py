"""A connection for the length of one command."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from glam_shared.messaging import JetStreamClient
from glam_worker.settings import Settings

C = TypeVar("C", bound=JetStreamClient)

PATIENCE = 5.0
"""Seconds a command waits for a server, unless GLAM_CONNECT_TIMEOUT says how long."""


@contextlib.asynccontextmanager
async def connected(make: Callable[[logging.Logger], C], settings: Settings) -> AsyncIterator[C]:
    """A client, connected as the settings say, and closed afterwards.

    Raises ConnectionFailed, with the cause for each server, when none answers in time.
    """
    chosen = "connect_timeout" in settings.model_fields_set
    timeout = settings.connect_timeout if chosen else PATIENCE
    log = _warnings_only()
    async with make(log) as client:
        await client.connect(**settings.connection(), name="glam-worker", timeout=timeout)
        yield client
        log.disabled = True  # that it is closed is no news


def _warnings_only() -> logging.Logger:
    """Says on stderr what the user should know, such as a password sent in the clear."""
    log = logging.getLogger("glam_worker.cli.connection")
    log.setLevel(logging.WARNING)
    log.propagate = False
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("glam-worker: warning: %(message)s"))
    log.addHandler(handler)
    return log
