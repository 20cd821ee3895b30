"""What the server does not let this worker do, where that would stop its work."""

from __future__ import annotations

import time

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import PermissionDenied
from glam_shared.messaging.denials import needed

_INBOX_REMEMBERED = 20.0
"""Seconds for a subscription: an inbox that is silent is opened anew within that time."""
_REMEMBERED = 90.0
"""Seconds after which a denial that was not repeated is forgotten: what is denied is tried again
after 30 s, the life of a pull request and the default of ``ack_wait``, or not needed any more."""


class Denials:
    """Remembers denied pull requests and subscriptions, as reasons not to be ready.

    Who publishes with an answer is told of a denial by an exception; a pull request would see no
    more than silence. Of acks, see ``AckPermission``.
    """

    def __init__(self, client: JetStreamClient) -> None:
        self._client = client
        self._seen: dict[str, tuple[float, int]] = {}
        """By what to say: until when, and in which epoch of the connection."""
        self.close = client.watch_denials(self._denied)
        """Hear of no more."""

    def reasons(self) -> list[str]:
        """What is denied at present; callable from any thread."""
        now, epoch = time.monotonic(), self._client.epoch
        seen = self._seen.copy().items()
        return [
            text
            for text, (until, over) in seen
            if now < until and over == epoch and self._client.is_connected()
        ]

    def _denied(self, denied: PermissionDenied) -> None:
        verb, _, subject = denied.operation.rpartition(" ")
        if ".CONSUMER.MSG.NEXT." in subject or verb == "subscribe to":
            now = time.monotonic()
            for late in [text for text, (until, _) in self._seen.items() if until <= now]:
                del self._seen[late]
            remembered = _INBOX_REMEMBERED if verb == "subscribe to" else _REMEMBERED
            self._seen[str(needed(denied))] = (now + remembered, self._client.epoch)
