"""Where an ack's subject names its message (ADR-15)."""

from __future__ import annotations

_SHORT = 9
"""Tokens without domain and account."""


def sequence_at(tokens: list[str]) -> int:
    """Which token is the sequence in the stream."""
    return 5 if len(tokens) <= _SHORT else 7


def message_of(ack: str) -> tuple[str, str]:
    """The sequence in the stream, and when it was stored: a stream that lost its end with its
    server's power gives the same sequence to another message."""
    tokens = ack.split(".")
    at = sequence_at(tokens)
    return tokens[at], tokens[at + 2]
