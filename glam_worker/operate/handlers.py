"""Which handlers there are, by the metadata of their durables: no module is needed for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_worker.errors import NotThereError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.runtime.protocols import Way
from glam_worker.topology.specs import OWNER_HANDLER, OWNER_SERVICE, OWNER_WAY

_OWNER = (OWNER_SERVICE, OWNER_HANDLER, OWNER_WAY)
_WAYS = ("main", "lane")
_NO_EVENTS = ("KV_", "OBJ_")


@dataclass(frozen=True, slots=True)
class Durable:
    """A durable of a handler, as the server tells of it."""

    service: str
    handler: str
    way: Way
    stream: str
    name: str
    info: dict[str, Any] = field(repr=False, hash=False, compare=False)
    """The server's answer to CONSUMER.INFO."""


@dataclass(frozen=True, slots=True)
class KnownHandler:
    """A handler that some worker has made durables for."""

    service: str
    name: str
    durables: tuple[Durable, ...]

    def of(self, way: Way) -> tuple[Durable, ...]:
        """Its durables of one way: one as a rule, more if its stream was changed."""
        return tuple(durable for durable in self.durables if durable.way == way)

    @property
    def has_lane(self) -> bool:
        """Whether letters can be replayed to it."""
        return bool(self.of("lane"))

    def __str__(self) -> str:
        return f"{self.name} of service {self.service}"


async def known_handlers(
    client: JetStreamClient, service: str | None = None
) -> tuple[KnownHandler, ...]:
    """The handlers of all services, or of one, by service and name."""
    streams = [str(info["config"]["name"]) for info in await JetStreamAdmin(client).streams()]
    events = [name for name in streams if not name.startswith(_NO_EVENTS)]
    listed = await asyncio.gather(*(_durables(client, stream) for stream in events))
    by_name: dict[tuple[str, str], list[Durable]] = {}
    for durable in (one for durables in listed for one in durables):
        by_name.setdefault((durable.service, durable.handler), []).append(durable)
    return tuple(
        KnownHandler(*key, tuple(durables))
        for key, durables in sorted(by_name.items())
        if service in (None, key[0])
    )


async def _durables(client: JetStreamClient, stream: str) -> list[Durable]:
    """The durables of handlers on a stream; none if it is gone by now."""
    try:
        infos = await JetStreamAdmin(client).consumers(stream)
    except NotFound:
        return []
    found = (_durable(stream, info) for info in infos)
    return [durable for durable in found if durable is not None]


def _durable(stream: str, info: dict[str, Any]) -> Durable | None:
    """What the metadata says; None of a consumer that is not ours."""
    metadata = info["config"].get("metadata") or {}
    service, handler, way = (metadata.get(key) for key in _OWNER)
    if not (service and handler and way in _WAYS):
        return None
    return Durable(service, handler, cast("Way", way), stream, str(info["name"]), info)


async def named_handlers(
    client: JetStreamClient, name: str, service: str | None = None
) -> tuple[KnownHandler, ...]:
    """The handlers of this name, of all services or of one. Raises NotThereError."""
    known = await known_handlers(client)
    found = tuple(one for one in known if one.name == name and service in (None, one.service))
    if not found:
        raise NotThereError(no_handler(name, service, known))
    return found


def no_handler(name: str, service: str | None, known: Iterable[KnownHandler]) -> str:
    """What there is to say where a handler is not known."""
    of = f" of service {service}" if service else ""
    listed = ", ".join(f"{one.name} ({one.service})" for one in known)
    if not listed:
        return (
            f"there is no handler {name}{of}: no handler has a durable on this server. A worker "
            "makes them at its first start; look at --servers and the account"
        )
    return f"there is no handler {name}{of}; there are: {listed}"
