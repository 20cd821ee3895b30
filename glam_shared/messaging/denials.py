"""What the server says when a user lacks a permission. The caller itself would see a timeout."""

from __future__ import annotations

import re

from glam_shared.messaging.broker_errors import PermissionDenied

_ACK_TOKENS = 9
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
    """The denial of all that *denied* is one example of: each ack has a subject of its own.

    ``$JS.ACK.<stream>.<consumer>.`` and five tokens more, or with domain and account's hash before
    the stream (ADR-15).
    """
    verb, _, subject = denied.operation.rpartition(" ")
    tokens = subject.split(".")
    if tokens[:2] != ["$JS", "ACK"]:
        return denied
    names = 4 if len(tokens) <= _ACK_TOKENS else 6
    return PermissionDenied(f"{verb} {'.'.join(tokens[:names])}.>")
