"""The streams and buckets that a worker needs: created where they are missing, compared if not."""

from __future__ import annotations

from typing import Any, Protocol

from glam_shared.messaging.broker_errors import ApiError, BrokerError, PermissionDenied
from glam_worker.errors import TopologyError
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.settings import Settings
from glam_worker.topology import reasons, specs
from glam_worker.topology.choosing import does_not_exist
from glam_worker.topology.drift import retry_stream_problems, stream_drift
from glam_worker.topology.ensured import Ensured
from glam_worker.topology.remembered import Remembered
from glam_worker.topology.specs import StreamSpec


class StreamAdmin(Protocol):
    """Reads and creates streams."""

    async def stream(self, name: str) -> dict[str, Any] | None: ...
    async def streams_holding(self, subject: str) -> list[str]: ...
    async def create_stream(self, config: dict[str, Any]) -> bool: ...


class Streams:
    """Those of one start.

    * ``known``: what the server says of a stream of events, and ``was_deleted``;
    * ``make_own``: the retry and the dead-letter stream and the buckets.

    Raises TopologyError where no worker can run.
    """

    def __init__(
        self, admin: StreamAdmin, settings: Settings, before: Remembered, result: Ensured
    ) -> None:
        self.ours: list[dict[str, Any]] = []
        """Those that are recorded."""
        self._admin = admin
        self._settings = settings
        self._before = before
        self._result = result
        self._streams: dict[str, dict[str, Any]] = {}

    async def was_deleted(self, name: str) -> bool:
        """Whether it was there before, and is gone."""
        if name in self._streams or not self._before.had_stream(name):
            return False
        return await self._admin.stream(name) is None

    async def known(self, name: str) -> dict[str, Any]:
        """What the server says of it; ours is created."""
        if name not in self._streams:
            ours = specs.events_stream(self._settings)
            look = self._stream(ours) if name == ours.name else self._admin.stream(name)
            info = await look
            if info is None:
                raise does_not_exist(name)
            self._streams[name] = info
        return self._streams[name]

    async def _stream(self, spec: StreamSpec, lost: str = "") -> dict[str, Any]:
        info = await self._admin.stream(spec.name)
        if info is None:
            if await self._created(spec):
                self._result.created.append(f"stream {spec.name}")
            info = await self._admin.stream(spec.name)
        if info is None:
            raise TopologyError(f"stream {spec.name} was created and is gone again")
        before = self._before.streams.get(spec.name)
        if before is not None and before.created != nanoseconds(info["created"]):
            self._result.alarms.append(reasons.deleted_before(f"stream {spec.name}", lost))
        self._result.drift.extend(stream_drift(spec.config, info))
        self._streams[spec.name] = info
        self.ours.append(info)
        return info

    async def _created(self, spec: StreamSpec) -> bool:
        try:
            return await self._admin.create_stream(spec.config)
        except PermissionDenied as error:
            raise TopologyError(reasons.may_not_create(f"stream {spec.name}", error)) from error
        except ApiError as error:
            raise TopologyError(reasons.cannot_create(spec, error)) from error

    async def make_own(self, events: set[str], claims_kept: float) -> None:
        """The retry and the dead-letter stream and the buckets, as safe as the events.

        ``claims_kept`` is in seconds; 0 where no handler is idempotent.
        """
        configs = [(await self.known(name))["config"] for name in events]
        replicas = max((int(config.get("num_replicas", 1)) for config in configs), default=1)
        stored = {config.get("storage", "file") for config in configs}
        storage = "file" if "file" in stored or not stored else "memory"
        retry = specs.retry_stream(self._settings, replicas, storage)
        problems = retry_stream_problems(await self._stream(retry, "without the parked retries"))
        if problems:
            raise TopologyError("\n".join(problems))
        self._result.dlq_stream = await self._dead_letters(replicas, storage)
        if claims_kept:
            claims = (specs.CLAIMS, claims_kept, self._settings, replicas, storage)
            lost = "without the claims: idempotent handlers may handle an event again"
            await self._stream(specs.bucket(*claims), lost)
        ledger = (specs.LEDGER, specs.LEDGER_KEPT, self._settings, replicas, storage)
        lost = "without the runs that never ended: events that kill workers get more runs"
        await self._stream(specs.bucket(*ledger), lost)
        await self._state_bucket(replicas, storage)

    async def _state_bucket(self, replicas: int, storage: str) -> None:
        """Without it a worker works, but takes a deleted durable for one it may not create."""
        try:
            await self._stream(specs.bucket(specs.STATE, 0.0, self._settings, replicas, storage))
        except (BrokerError, TopologyError) as error:
            self._result.notes.append(f"bucket {specs.STATE} cannot be used: {error}")

    async def _dead_letters(self, replicas: int, storage: str) -> str:
        spec = specs.dlq_stream(self._settings, replicas, storage)
        holding = await self._admin.streams_holding(specs.DLQ_SUBJECTS[0])
        if not holding or holding == [spec.name]:
            await self._stream(spec, "without the dead letters")
            return spec.name
        name = holding[0]
        config = (await self.known(name))["config"]
        age = int(config.get("max_age", 0)) / specs.NS
        self._result.notes.append(
            f"dead letters lie in stream {name}, which holds dlq.> and keeps messages for "
            f"{age / 3600:g} h" + ("" if age else " (no limit)") + "; `glam-worker plan` shows "
            f"the move to {spec.name}"
        )
        return name
