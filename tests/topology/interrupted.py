"""A client whose n-th change of the server fails, as if the process had ended there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from glam_shared.logging import create_logger
from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.acked_publisher import Message
from glam_shared.messaging.publish_ack import PubAck

_READS = ("STREAM.INFO.", "STREAM.NAMES", "STREAM.MSG.GET.", "CONSUMER.INFO.", "CONSUMER.LIST.")


class EndedError(Exception):
    """Here the process would have ended."""


class EndingClient(JetStreamClient):
    """Fails before its ``last``-th change, or after it when ``applied``: both may happen."""

    def __init__(self, last: int, *, applied: bool, letters_only: bool = False) -> None:
        super().__init__(create_logger("test"))
        self.changes = 0
        self._letters_only = letters_only
        self._last = last
        self._applied = applied

    async def api(
        self, operation: str, body: Mapping[str, Any] | None = None, *, timeout: float = 5.0
    ) -> dict[str, Any]:
        """A read, or a change that may be the last."""
        if operation.startswith(_READS) or self._letters_only:
            return await super().api(operation, body, timeout=timeout)
        self._count(before=True)
        answer = await super().api(operation, body, timeout=timeout)
        self._count(before=False)
        return answer

    async def publish_acked(self, *arguments: Any, **named: Any) -> PubAck:
        """A write to a bucket."""
        if self._letters_only:
            return await super().publish_acked(*arguments, **named)
        self._count(before=True)
        answer = await super().publish_acked(*arguments, **named)
        self._count(before=False)
        return answer

    async def publish_all(
        self, messages: Iterable[Message], stored: Callable[[PubAck], None], **named: Any
    ) -> int:
        """Letters: what ends here ends in the middle of them."""
        several = list(messages)
        half = len(several) // 2
        count = await super().publish_all(several[:half], stored, **named)
        self._count(before=True)
        count += await super().publish_all(several[half:], stored, **named)
        self._count(before=False)
        return count

    def _count(self, *, before: bool) -> None:
        if before:
            self.changes += 1
        if self.changes >= self._last and before is not self._applied:
            raise EndedError
