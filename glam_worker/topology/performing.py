"""Does what a plan says, step by step. Every step can be interrupted, and done again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from glam_shared.messaging.broker_errors import ApiError
from glam_worker.declare.handler import Handler
from glam_worker.errors import TopologyError
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.topology import reasons, specs
from glam_worker.topology.beginning import begin_at
from glam_worker.topology.drift import filter_fields
from glam_worker.topology.plan import (
    CreateDurable,
    CreateStream,
    MoveLetters,
    RecordDurable,
    Step,
    TakeOver,
    UpdateDurable,
    UpdateStream,
)
from glam_worker.topology.planning_streams import loss
from glam_worker.topology.records import (
    DurableRecord,
    State,
    StreamRecord,
    declared_record,
    floor_of,
    handler_key,
    record_of,
    stream_key,
)
from glam_worker.topology.specs import ConsumerSpec, StreamSpec, filters_of


class Changes(Protocol):
    """Reads and changes streams and consumers."""

    async def stream(self, name: str) -> dict[str, Any] | None: ...
    async def create_stream(self, config: dict[str, Any]) -> bool: ...
    async def update_stream(self, config: dict[str, Any]) -> None: ...
    async def consumer(self, stream: str, name: str) -> dict[str, Any] | None: ...
    async def create_consumer(
        self, stream: str, config: dict[str, Any]
    ) -> dict[str, Any] | None: ...
    async def update_consumer(self, stream: str, config: dict[str, Any]) -> None: ...
    async def delete_consumer(self, stream: str, name: str) -> None: ...
    async def subjects(self, stream: str, matching: str) -> dict[str, int]: ...
    def now(self) -> datetime: ...


MovesLetters = Callable[[str, StreamSpec], Awaitable[None]]
"""Moves the letters of a stream of events to their own."""


class Performer:
    """Does the steps of a plan. Raises TopologyError and BrokerError."""

    def __init__(self, admin: Changes, state: State, letters: MovesLetters) -> None:
        self._admin = admin
        self._state = state
        self._letters = letters

    async def perform(self, step: Step) -> None:
        """Do one step."""
        match step:
            case CreateStream(spec):
                await self._create_stream(spec)
            case UpdateStream(name, mend):
                await self._update_stream(name, mend)
            case CreateDurable():
                await self._create_durable(step)
            case UpdateDurable(spec, mend):
                await self._update_durable(spec, mend)
            case RecordDurable(spec):
                await self._record(spec, await self._durable(spec))
            case TakeOver():
                await self._take_over(step)
            case MoveLetters(source, target):
                await self._letters(source, target)
                await self._record_stream(target.name)

    # --- streams ---

    async def _create_stream(self, spec: StreamSpec) -> None:
        try:
            await self._admin.create_stream(spec.config)
        except ApiError as error:
            raise TopologyError(reasons.cannot_create(spec, error)) from error
        await self._record_stream(spec.name)

    async def _update_stream(self, name: str, mend: dict[str, Any]) -> None:
        info = await self._stream(name)
        lost = loss(mend, info, self._admin.now())
        if lost:
            raise TopologyError(f"stream {name} is not changed: that would remove {lost} by now")
        await self._admin.update_stream(_mended(info["config"], mend))

    async def _stream(self, name: str) -> dict[str, Any]:
        info = await self._admin.stream(name)
        if info is None:
            raise TopologyError(f"stream {name} is gone")
        return info

    async def _record_stream(self, name: str) -> None:
        info = await self._stream(name)
        record = StreamRecord(name, nanoseconds(info["created"]))
        await self._state.write(stream_key(name), record.to_bytes())

    # --- durables ---

    async def _create_durable(self, step: CreateDurable) -> None:
        spec = step.spec
        begin = step.begin
        found = await self._admin.consumer(spec.stream, spec.durable) if step.anew else None
        if found is not None:
            if step.back:
                await self._record_astray(spec, found)  # so that it goes back when interrupted
            else:
                await self._record(spec, found)  # the position outlives the durable
                if "opt_start_seq" in begin:
                    begin = begin_at("floor", floor_of(found))
            await self._admin.delete_consumer(spec.stream, spec.durable)
        await self._new(spec, begin)

    async def _new(self, spec: ConsumerSpec, begin: dict[str, Any]) -> dict[str, Any]:
        """Create first, record after: what exists and is not recorded can be recorded later."""
        config = {**spec.config, **begin}
        if "opt_start_seq" in begin or begin.get("deliver_policy") in ("all", "new"):
            config.pop("opt_start_time", None)
        await self._admin.create_consumer(spec.stream, config)
        found = await self._admin.consumer(spec.stream, spec.durable)
        if found is None:
            raise TopologyError(f"consumer {spec.durable} was created and is gone again")
        await self._record(spec, found)
        return found

    async def _update_durable(self, spec: ConsumerSpec, mend: dict[str, Any]) -> None:
        found = await self._durable(spec)
        await self._admin.update_consumer(spec.stream, _mended(found["config"], mend))
        await self._record(spec, await self._durable(spec))

    async def _durable(self, spec: ConsumerSpec) -> dict[str, Any]:
        found = await self._admin.consumer(spec.stream, spec.durable)
        if found is None:
            raise TopologyError(f"consumer {spec.durable} on stream {spec.stream} is gone")
        return found

    async def _record(
        self, spec: ConsumerSpec, found: dict[str, Any], lanes: Iterable[str] = ()
    ) -> None:
        if spec.way != "main":
            return
        known = await self._known(handler_key(spec.handler.service, spec.handler.name))
        taken = dict.fromkeys((*(known.lanes if known else ()), *lanes))
        record = declared_record(spec.handler, await self._stream(spec.stream), found)
        strayed = known.strayed if known else ()
        left = tuple(one for one in strayed if one != record.created)
        record = replace(record, lanes=tuple(taken), strayed=left)
        await self._write(spec.handler, spec.handler.name, record)

    async def _record_astray(self, spec: ConsumerSpec, found: dict[str, Any]) -> None:
        name = spec.handler.name
        known = await self._known(handler_key(spec.handler.service, name))
        if known is not None:
            await self._write(spec.handler, name, known.astray(nanoseconds(found["created"])))

    async def _known(self, key: str) -> DurableRecord | None:
        kept = (await self._state.read([key])).get(key)
        return DurableRecord.from_bytes(kept.value) if kept else None

    async def _write(self, handler: Handler, name: str, record: DurableRecord) -> None:
        await self._state.write(handler_key(handler.service, name), record.to_bytes())

    # --- taking over ---

    async def _take_over(self, step: TakeOver) -> None:
        """The new durable begins before the old ones end, so that nothing is between them."""
        handler = step.main.handler
        positions = {name: await self._position(step.main, name) for name in step.names}
        known = [position for position in positions.values() if position is not None]
        found = await self._admin.consumer(step.main.stream, step.main.durable)
        if found is None:
            floors = [position.floor for position in known]
            begin = begin_at("floor", min(floors)) if floors else {}
            found = await self._new(step.main, begin)
        lanes = [*step.names, *(name for position in known for name in position.lanes)]
        await self._record(step.main, found, lanes)
        for name in step.names:
            old = specs.durable_of(handler.service, name)
            await self._admin.delete_consumer(step.main.stream, old)
            lane = specs.durable_of(handler.service, name, "lane")
            await self._admin.delete_consumer(step.lane.stream, lane)
        await self._extend_lane(step.lane, lanes)
        for name, position in positions.items():
            if position is not None:
                await self._write(handler, name, replace(position, moved_to=handler.name))

    async def _position(self, main: ConsumerSpec, name: str) -> DurableRecord | None:
        """Where a former name is; recorded first, as its durable is about to end."""
        durable = specs.durable_of(main.handler.service, name)
        found = await self._admin.consumer(main.stream, durable)
        key = handler_key(main.handler.service, name)
        known = await self._known(key)
        if found is None:
            return known
        record = record_of(await self._stream(main.stream), found)
        if known is not None:
            passed_by = record.created in known.strayed
            floor = min(record.floor, known.floor) if passed_by else record.floor
            record = replace(record, floor=floor, lanes=known.lanes)
        await self._state.write(key, record.to_bytes())
        return record

    async def _extend_lane(self, spec: ConsumerSpec, names: Sequence[str]) -> None:
        """Give a lane what former names have parked.

        It is made anew where some of that is due already: the server does not go back for it.
        """
        service = spec.handler.service
        former = [specs.due_subject(service, name) for name in names]
        wanted = [specs.due_subject(service, spec.handler.name), *former]
        found = await self._admin.consumer(spec.stream, spec.durable)
        held = filters_of(found["config"]) if found is not None else []
        subjects = filter_fields(list(dict.fromkeys((*held, *wanted))))
        if found is not None and not set(wanted) <= set(held):
            await self._admin.update_consumer(spec.stream, _mended(found["config"], subjects))
        if found is not None and not await self._any_due(spec, former):
            return
        await self._admin.delete_consumer(spec.stream, spec.durable)
        await self._admin.create_consumer(spec.stream, _mended(spec.config, subjects))

    async def _any_due(self, spec: ConsumerSpec, subjects: Sequence[str]) -> bool:
        due = [await self._admin.subjects(spec.stream, subject) for subject in subjects]
        return any(due)


def _mended(config: dict[str, Any], mend: dict[str, Any]) -> dict[str, Any]:
    """A configuration of the server's with some fields changed, or left out where None."""
    changed = {**config, **mend}
    return {name: value for name, value in changed.items() if value is not None}
