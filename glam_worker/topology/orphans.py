"""What handlers that are not declared any more have left on the server. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from glam_worker.topology.observed import Durable, Observed, Owner
from glam_worker.topology.plan import Orphan
from glam_worker.topology.specs import (
    OWNER_HANDLER,
    OWNER_SERVICE,
    due_subject,
    filters_of,
)

_WORKED = (
    "a worker pulls it now: a module that is not named here declares it. Name all modules of the "
    "service; if that worker is of an older version, look again once it is stopped"
)


def owner_of(info: dict[str, Any]) -> Owner | None:
    """Service and handler of a durable, by its metadata."""
    metadata = info.get("config", {}).get("metadata") or {}
    if OWNER_SERVICE in metadata and OWNER_HANDLER in metadata:
        return metadata[OWNER_SERVICE], metadata[OWNER_HANDLER]
    return None


def orphans_of(observed: Observed, services: Iterable[str], retry_stream: str) -> list[Orphan]:
    """One for each handler of these services that has left something, and is not declared.

    A declared handler has left something where it consumes from another stream by now.
    """
    served = set(services)
    left: dict[Owner, list[Durable]] = defaultdict(list)
    for durable, info in observed.consumers.items():
        owner = owner_of(info)
        if owner is None or owner[0] not in served:
            continue
        if (
            durable[0] not in (observed.places.get(owner), retry_stream)
            or owner not in observed.places
        ):
            left[owner].append(durable)
    worked = {
        subject for info in observed.consumers.values() for subject in filters_of(info["config"])
    }
    for owner in observed.parked:
        if owner not in observed.places and due_subject(*owner) not in worked:
            left.setdefault(owner, [])
    return [_orphan(observed, owner, durables) for owner, durables in sorted(left.items())]


def _orphan(observed: Observed, owner: Owner, durables: list[Durable]) -> Orphan:
    service, handler = owner
    infos = [observed.consumers[durable] for durable in durables]
    parked = observed.parked.get(owner) if owner not in observed.places else None
    worked = owner not in observed.places and any(info.get("num_waiting") for info in infos)
    ages = [observed.ages[durable] for durable in durables if durable in observed.ages]
    return Orphan(
        service,
        handler,
        tuple(f"{name} on {stream}" for stream, name in durables),
        sum(
            int(info.get("num_pending", 0)) + int(info.get("num_ack_pending", 0)) for info in infos
        ),
        max(ages, default=None),
        parked.count if parked else 0,
        parked.oldest if parked else None,
        _WORKED if worked else _remedy(observed, owner, durables),
        worked,
    )


def _remedy(observed: Observed, owner: Owner, durables: list[Durable]) -> str:
    delete = " && ".join(f"nats consumer rm {stream} {name}" for stream, name in durables)
    ending = f"; to forget it: {delete}" if delete else ""
    if owner in observed.places:
        return f"handler {owner[1]} works stream {observed.places[owner]} now{ending}"
    return (
        f"another handler takes it over with previously=({owner[1]!r},) or "
        f"`glam-worker apply MODULE... --move {owner[1]}=NEW`{ending}"
    )
