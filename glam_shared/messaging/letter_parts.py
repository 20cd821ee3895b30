"""The words of a letter: reasons, subjects, fingerprints, and bodies kept elsewhere."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

__all__ = ["REASONS", "BodyReference", "Reason", "fingerprint", "letter_subject"]

Reason = Literal["invalid", "rejected", "exhausted", "crashed"]
"""invalid: could not be read; rejected: not to be retried; exhausted: attempts spent; crashed:
attempts spent by dying workers."""
REASONS: tuple[Reason, ...] = get_args(Reason)

_COMPARED_CHARACTERS = 1024
_CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+",
    re.IGNORECASE,
)


def letter_subject(subject: str) -> str:
    """Where the letter of an event on *subject* goes: the first token alone becomes `dlq`."""
    _, dot, rest = subject.partition(".")
    return f"dlq.{rest}" if dot else f"dlq.{subject}"


def fingerprint(service: str, handler: str, reason: str, error: str, text: str) -> str:
    """16 hex digits that group like failures: numbers, UUIDs and hex in *text* do not count."""
    steady = _CHANGING.sub("#", text[:_COMPARED_CHARACTERS])
    whole = "\0".join((service, handler, reason, error, steady))
    return hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class BodyReference:
    """A body that stayed in the origin's stream because it did not fit into a letter."""

    sha256: str
    """Hex digest of the body."""
    kept_until: datetime | None = None
    """When the origin's stream forgets it; None: not by age."""
