"""The client as ``publish`` needs it."""

from __future__ import annotations

from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ApiError, BrokerError, PermissionDenied
from glam_worker.errors import TopologyError


class AckKeeper(JetStreamClient):
    """Keeps the stream's last answer, for the command to show."""

    ack: Any

    async def publish(self, *arguments: Any, **named: Any) -> Any:
        """Publish and keep the PubAck."""
        self.ack = await super().publish(*arguments, **named)
        return self.ack


async def require_stream(client: JetStreamClient, subject: str) -> None:
    """Raise TopologyError where no stream takes the subject: publishing would try for 30 s.

    Who may publish but not look is not held up.
    """
    try:
        answer = await client.api("STREAM.NAMES", {"subject": subject})
    except (ApiError, PermissionDenied):
        return
    except BrokerError as error:
        raise TopologyError(f"JetStream does not answer on this server: {error}") from error
    if not answer.get("streams"):
        raise TopologyError(
            f"no stream takes {subject}; start a worker, which creates the events stream, or "
            "create a stream for it"
        )
