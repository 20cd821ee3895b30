"""What the server has of a handler, and of the names it had before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glam_shared.wording import counted
from glam_worker.runtime.protocols import Way
from glam_worker.settings import Settings
from glam_worker.topology import reasons, specs
from glam_worker.topology.beginning import covers_from
from glam_worker.topology.drift import Drift, position_drift
from glam_worker.topology.observed import Observed
from glam_worker.topology.records import DurableRecord, record_of
from glam_worker.topology.specs import ConsumerSpec


@dataclass(frozen=True, slots=True)
class Found:
    """Answers what a plan asks about durables and their records.

    * ``of``, ``record``, ``passed_by`` and ``made_anew``: a declared durable;
    * ``no_floor``: whether it can go on where it was;
    * ``left`` and ``not_at_the_floor``: what a former name has, and why that cannot be taken over.
    """

    observed: Observed
    settings: Settings

    def of(self, spec: ConsumerSpec) -> dict[str, Any] | None:
        """What the server says of a durable; None where there is none."""
        return self.observed.consumers.get((spec.stream, spec.durable))

    def record(self, name: str, spec: ConsumerSpec) -> DurableRecord | None:
        """What is recorded of a handler of the same service."""
        return self.observed.records.get((spec.handler.service, name))

    def passed_by(self, spec: ConsumerSpec, info: dict[str, Any]) -> list[Drift]:
        """That its position is not to be trusted; empty where it is."""
        stream = self.observed.streams[spec.stream]
        return position_drift(spec, stream, info, self.record(spec.handler.name, spec))

    def made_anew(self, spec: ConsumerSpec, info: dict[str, Any]) -> bool:
        """Whether it is another one than that which is recorded, on the same stream."""
        record = self.record(spec.handler.name, spec)
        if record is None or record.moved_to is not None:
            return False
        found = record_of(self.observed.streams[spec.stream], info)
        same = (record.stream, record.stream_created) == (found.stream, found.stream_created)
        return same and not record.same_durable(found)

    def no_floor(
        self, spec: ConsumerSpec, record: DurableRecord | None, floor: int | None
    ) -> str | None:
        """Why it cannot go on where it was; None where it can."""
        return reasons.no_floor(spec, self.observed.streams.get(spec.stream), record, floor)

    def former(self, stream: str, service: str, name: str, way: Way) -> dict[str, Any] | None:
        """The durable of a former name, unless it is another service's."""
        found = self.observed.consumers.get((stream, specs.durable_of(service, name, way)))
        metadata = (found or {}).get("config", {}).get("metadata") or {}
        return found if metadata.get(specs.OWNER_SERVICE, service) == service else None

    def left(self, spec: ConsumerSpec, name: str, *, moved: bool) -> bool:
        """Whether a former name has left anything; ``moved``: that it is given up was chosen."""
        service = spec.handler.service
        record = self.record(name, spec)
        return (
            self.former(spec.stream, service, name, "main") is not None
            or self.former(self.settings.retry_stream, service, name, "lane") is not None
            or (record is not None and record.moved_to is None and record.stream == spec.stream)
            or (moved and (service, name) in self.observed.parked)
        )

    def not_at_the_floor(self, main: ConsumerSpec, former: Sequence[str]) -> str:
        """Why the positions of former names cannot be taken over; empty where they can."""
        found = self.of(main)
        for name in former:
            old = self.former(main.stream, main.handler.service, name, "main")
            record = self.record(name, main)
            if old is None and record is not None and found is None:
                problem = self.no_floor(main, record, record.floor)
                if problem:
                    return f"handler {name} cannot be taken over from its record: {problem}"
            if found is not None and old is not None and not covers_from(found, old):
                waits = old.get("num_pending", 0) + old.get("num_ack_pending", 0)
                return (
                    f"consumer {main.durable} exists and began after the position of {name}, so "
                    f"{counted(waits, 'event')} of {name} would be skipped; work them with a "
                    f"handler named {name}, or delete consumer {main.durable} and apply again"
                )
        return ""
