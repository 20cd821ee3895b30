"""PROVISIONAL by the coordinator: overwrite."""
from __future__ import annotations
from glam_shared.messaging.envelope import EventEnvelope
class EventPublisher:
    def __init__(self, client, service_name, logger=None): self.client=client; self.service_name=service_name
    async def publish_event(self, subject, payload, correlation_id=None, metadata=None, event_id=None):
        e = EventEnvelope.create(str(subject), payload, source_service=self.service_name, correlation_id=correlation_id, event_id=event_id, metadata=metadata)
        await self.client.publish_acked(str(subject), e.to_bytes(), {}, msg_id=f"{subject}:{e.event_id}")
        return e.event_id
Publisher = EventPublisher
