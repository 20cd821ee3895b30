"""Which stream a handler consumes from. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from glam_worker.declare.filters import covers, overlaps
from glam_worker.declare.handler import Handler
from glam_worker.errors import TopologyError
from glam_worker.settings import Settings
from glam_worker.topology import reasons, specs
from glam_worker.topology.records import DurableRecord


def chosen_stream(
    handler: Handler, holding: Sequence[str], settings: Settings, record: DurableRecord | None
) -> str:
    """The stream of a handler, of those that hold its subject; where none does, the one that did,
    or the one that is to be created. Raises TopologyError where that is not one."""
    if handler.options.stream:
        return handler.options.stream
    if len(holding) > 1:
        raise TopologyError(
            f"handler {handler.name} ({handler.where}): its subject {handler.subject!r} is "
            f"held by the streams {', '.join(sorted(holding))}; choose one with stream="
        )
    if holding:
        return holding[0]
    spec = specs.events_stream(settings)
    if any(covers(held, handler.subject) for held in spec.config["subjects"]):
        return spec.name
    if record is None:
        raise TopologyError(reasons.no_stream(handler, spec))
    return record.stream


def check_holds(handler: Handler, stream: str, subjects: Sequence[str]) -> None:
    """Raise TopologyError where a stream has none of the handler's subjects."""
    if not any(overlaps(held, handler.subject) for held in subjects):
        raise TopologyError(
            f"handler {handler.name} ({handler.where}): stream {stream} holds "
            f"{', '.join(subjects)}, not {handler.subject}; correct the subject or stream="
        )


def does_not_exist(stream: str) -> TopologyError:
    """For a stream of others that is named and not there."""
    return TopologyError(
        f"stream {stream} does not exist; create it, or correct stream= in the declaration"
    )
