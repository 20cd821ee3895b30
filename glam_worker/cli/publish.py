"""``glam-worker publish``."""

from __future__ import annotations


def publish(subject: str) -> None:
    """Publish one event."""
    raise NotImplementedError
