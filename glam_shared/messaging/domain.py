"""Which JetStream domain has a message, and where its key-value buckets are written (ADR-8)."""

from __future__ import annotations

import contextlib

from glam_shared.messaging.broker_errors import (
    BrokerError,
    NotFound,
    PermissionDenied,
    StoredElsewhere,
)
from glam_shared.messaging.jetstream_api import JetStreamApi
from glam_shared.messaging.publish_ack import PubAck


class Domain:
    """Tells the word of the domain that was asked for from that of others.

    A leaf node with streams of its own stores what is published through it as well, and answers
    sooner. Two set-ups are called a domain, and the API's own answers tell them apart:

    * a domain of the server, whose PubAcks name it and which takes keys below its API;
    * the API of another account, imported as if it were a domain: nobody there knows the name,
      and nobody answers to keys below it.
    """

    def __init__(self, api: JetStreamApi) -> None:
        self._api = api
        self.name: str | None = None
        """As the settings call it; None is the account's own."""

    def use(self, name: str | None) -> None:
        """Ask this one."""
        self.name = name
        self._api.use_domain(name)

    async def has(self, ack: PubAck, timeout: float) -> bool:
        """Whether the PubAck is the domain's; asks what it calls itself where that is needed."""
        known = self._api.answers_as
        if ack.domain == (self.name if known is None else known):
            return True
        if known == self.name:
            return False
        with contextlib.suppress(BrokerError):
            await self._api.call(f"STREAM.INFO.{ack.stream}", None, max(timeout, 0.0))
        return ack.domain == self._api.answers_as

    def elsewhere(self, subject: str, ack: PubAck) -> StoredElsewhere:
        """The error about a PubAck that is another's."""
        return StoredElsewhere(subject, stream=ack.stream, found=ack.domain, wanted=str(self.name))

    def alone_takes(self, subject: str) -> bool:
        """Whether nobody but the domain is reached by the subject."""
        return subject.startswith("$")

    async def keys_of(self, bucket: str) -> str:
        """The subject below which the keys of a bucket are written.

        A leaf node does not pass `$KV` on. Raises BrokerError when the domain cannot be asked.
        """
        plain = f"$KV.{bucket}"
        if self.name is None:
            return plain
        if self._api.answers_as is None:
            with contextlib.suppress(NotFound, PermissionDenied):
                await self._api.call(f"STREAM.INFO.KV_{bucket}", None, 5.0)
        known = self._api.answers_as
        return f"{self._api.prefix}.{plain}" if known in (None, self.name) else plain
