"""The correlation id of the task: carried from request to event to handler."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = [
    "CORRELATION_ID",
    "correlation_scope",
    "get_correlation_context",
    "new_correlation_id",
    "set_correlation_context",
]

CORRELATION_ID: ContextVar[str | None] = ContextVar("glam_correlation_id", default=None)
"""The variable itself, for who sets it for every request: a call costs more than what it does."""


def set_correlation_context(correlation_id: str | None) -> None:
    """Make *correlation_id* that of the current task; None forgets it."""
    CORRELATION_ID.set(correlation_id)


def get_correlation_context() -> str | None:
    """The correlation id of the current task, None when it has none."""
    return CORRELATION_ID.get()


def new_correlation_id() -> str:
    """`corr_` and 12 random hex digits."""
    return f"corr_{os.urandom(6).hex()}"


@contextmanager
def correlation_scope(correlation_id: str | None) -> Iterator[str | None]:
    """Carry *correlation_id* inside the block and bring the old one back after it."""
    before = CORRELATION_ID.get()
    CORRELATION_ID.set(correlation_id)
    try:
        yield correlation_id
    finally:
        # Not ContextVar.reset(): a generator dependency may be left in another context.
        CORRELATION_ID.set(before)
