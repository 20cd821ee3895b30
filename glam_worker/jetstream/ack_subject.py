"""Where an ack's subject names its message (ADR-15)."""

from __future__ import annotations

_SHORT = 9
"""Tokens without domain and account."""


def sequence_at(tokens: list[str]) -> int:
    """Which token is the sequence in the stream."""
    return 5 if len(tokens) <= _SHORT else 7
