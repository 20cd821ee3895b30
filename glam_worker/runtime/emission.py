"""What a handler publishes, with ids that a second run of the same event repeats."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import uuid
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from pydantic import BaseModel

from glam_worker.declare.handler import Handler
from glam_worker.runtime.protocols import Delivery, Publisher


class _Cause(Protocol):
    delivery: Delivery

    @property
    def event_id(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def handler(self) -> Handler: ...


class NotAwaitedError(RuntimeError):
    """A handler returned without awaiting what it published: nothing was."""


@dataclass(frozen=True, slots=True)
class _Publishing:
    """What ``event.publish()`` returned, and where it was called."""

    publishing: Coroutine[Any, Any, str]
    subject: str
    place: str

    def is_forgotten(self) -> bool:
        """Whether nobody has begun to await it."""
        return inspect.getcoroutinestate(self.publishing) == inspect.CORO_CREATED


class Emission:
    """Publishes on behalf of one run.

    An id is the hash of (origin, replay, service, handler, subject, key or data, ordinal among
    equals): a run that repeats what an earlier one published is swallowed by the stream's
    duplicate window, one that publishes something else is not.
    """

    def __init__(
        self, cause: _Cause, publisher: Publisher, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._cause = cause
        self._publisher = publisher
        self._loop = loop
        self._published: Counter[tuple[str, bytes]] = Counter()
        self._given_out: list[_Publishing] = []

    def begun(
        self, subject: str, payload: BaseModel, key: str | None, caller: FrameType
    ) -> Coroutine[Any, Any, str]:
        """What ``caller`` is to await; whether it did is known at the end of the run."""
        _check_model(payload)
        publishing = self.publish(subject, payload, key)
        if self._given_out and not self._given_out[-1].is_forgotten():
            self._given_out.pop()
        place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
        self._given_out.append(_Publishing(publishing, subject, place))
        return publishing

    def check(self) -> None:
        """Raise NotAwaitedError if the handler returned without awaiting what it published."""
        forgotten = [one for one in self._given_out if one.is_forgotten()]
        if forgotten:
            scheduled = [task.get_coro() for task in asyncio.all_tasks(self._loop)]
            forgotten = [one for one in forgotten if one.publishing not in scheduled]
        self._given_out.clear()
        for one in forgotten:
            one.publishing.close()
        if forgotten:
            first = forgotten[0]
            raise NotAwaitedError(
                f"{self._cause.handler.function.__name__}() did not await event.publish() to "
                f"{first.subject} at {first.place}: nothing was published; write "
                "`await event.publish(...)`"
            )

    async def publish(self, subject: str, payload: BaseModel, key: str | None = None) -> str:
        """Publish and await the PubAck; the event id. Raises what the publisher raises."""
        return await self._publisher.publish_event(
            subject,
            payload,
            correlation_id=self._cause.correlation_id,
            metadata={"causation_id": self._cause.event_id},
            event_id=self._event_id(str(subject), payload, key),
        )

    def publish_sync(self, subject: str, payload: BaseModel, key: str | None = None) -> str:
        """The same from a handler's thread. Raises RuntimeError on the event loop's own thread."""
        if on_loop():
            raise RuntimeError(
                "publish_sync() would block the event loop; in an async handler use "
                "`await event.publish(...)`"
            )
        _check_model(payload)
        published = self.publish(subject, payload, key)
        return asyncio.run_coroutine_threadsafe(published, self._loop).result()

    def _event_id(self, subject: str, payload: BaseModel, key: str | None) -> str:
        content = b"key:" + key.encode() if key is not None else payload.model_dump_json().encode()
        same = (subject, hashlib.sha256(content).digest())
        ordinal = self._published[same]
        self._published[same] += 1
        delivery = self._cause.delivery
        parts = (
            delivery.origin,
            delivery.replay_id or "",
            self._cause.service,
            self._cause.handler.name,
            subject,
            same[1].hex(),
            str(ordinal),
        )
        digest = hashlib.sha256("\0".join(parts).encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))


def _check_model(payload: object) -> None:
    if not isinstance(payload, BaseModel):
        raise TypeError(
            f"event.publish() takes a payload that is a pydantic model, found "
            f"{type(payload).__name__}; make one of it"
        )


def on_loop() -> bool:
    """Whether the caller is on an event loop, and not in a handler's thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
