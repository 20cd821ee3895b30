"""What the server says when a user lacks a permission. The caller itself would see a timeout."""

from __future__ import annotations

import re

from glam_shared.messaging.broker_errors import PermissionDenied

_ACK_TOKENS = 9
_SAID_EVERY = 60.0
"""Seconds: what is denied is denied again with each event."""
_SAID_AT_ONCE = 50
"""Denials that are told apart in that time."""
_OF_DOMAIN = re.compile(r"^\$JS\.[^.]+\.API\.")
_KEY_OF_DOMAIN = re.compile(r"^\$JS\.[^.]+\.API\.(?=\$KV\.)")
_WHOLE = re.compile(r"((?:\$JS\.[^.]+\.API\.)?\$KV\.[^.]+|retry\.(?:wait|due)\.[^.]+\.[^.]+|dlq)\.")
"""What is written below is allowed as a whole: a key, a parked event, a letter."""
_DENIAL = re.compile(
    r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE
)


def denial_in(text: str) -> PermissionDenied | None:
    """The denial that *text*, an error the server sent, is about; None for other errors."""
    found = _DENIAL.search(text)
    if found is None:
        return None
    verb = "publish to" if found.group(1).lower() == "publish" else "subscribe to"
    return PermissionDenied(f"{verb} {found.group(2)}")


def needed(denied: PermissionDenied) -> PermissionDenied:
    """The denial of all that *denied* is one example of: each event has subjects of its own.

    Of acks, ``$JS.ACK.<stream>.<consumer>.`` and five tokens more, or with domain and account's
    hash before the stream (ADR-15).
    """
    verb, _, subject = denied.operation.rpartition(" ")
    tokens = subject.split(".")
    if tokens[:2] == ["$JS", "ACK"]:
        names = 4 if len(tokens) <= _ACK_TOKENS else 6
        return PermissionDenied(f"{verb} {'.'.join(tokens[:names])}.>")
    whole = _WHOLE.match(subject)
    return denied if whole is None else PermissionDenied(f"{verb} {whole.group(1)}.>")


def names_of(subject: str) -> tuple[str, str]:
    """How a denial names a subject: as it was sent, or as a domain's own server has mapped it."""
    return subject, _OF_DOMAIN.sub("$JS.API.", _KEY_OF_DOMAIN.sub("", subject))


def denies(operation: str, subject: str) -> bool:
    """Whether the denial of *operation* is about a publish to *subject*."""
    return operation in [f"publish to {name}" for name in names_of(subject)]


class Said:
    """Which denials were said a moment ago; as many as are told apart, and no more."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        """Oldest first."""

    def is_new(self, denied: PermissionDenied, now: float) -> bool:
        """Whether to say it at *now*, in seconds; it counts as said then."""
        said = self._moments
        while said and now - said[oldest := next(iter(said))] >= _SAID_EVERY:
            del said[oldest]
        if denied.operation in said or len(said) >= _SAID_AT_ONCE:
            return False
        said[denied.operation] = now
        return True
