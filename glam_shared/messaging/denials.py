"""What the server says when a user lacks a permission. The caller itself would see a timeout."""

from __future__ import annotations

import re

from glam_shared.messaging.broker_errors import PermissionDenied

_DENIAL = re.compile(
    r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE
)


def denial_in(text: str) -> PermissionDenied | None:
    """The denial that *text*, an error the server sent, is about; None for other errors.

    nats-py lowers the case of what the server sent, the subject included.
    """
    found = _DENIAL.search(text)
    if found is None:
        return None
    verb = "publish to" if found.group(1).lower() == "publish" else "subscribe to"
    return PermissionDenied(f"{verb} {found.group(2)}")
