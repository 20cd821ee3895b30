"""Snapshots for the tests of checks: a healthy one, and what differs from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glam_worker.doctor.snapshot import Durable, Monitor, Snapshot, Stream
from glam_worker.testing.factory import BenchSettings
from glam_worker.topology import specs
from glam_worker.topology.records import DurableRecord

NS = specs.NS
SETTINGS = BenchSettings()
MONITOR = Monitor("http://nats:8222", {"config": {"sync_interval": 120 * NS, "sync_always": True}})

CREATED, CREATED_NS = "2026-11-23T12:00:00.000000001Z", 1_795_435_200_000_000_001


def stream(
    spec: specs.StreamSpec,
    state: dict[str, int] | None = None,
    cluster: dict[str, Any] | None = None,
    **config: Any,
) -> Stream:
    """A stream as the worker creates it, but for ``config``."""
    answer = {"config": {**spec.config, **config}, "state": state or {}}
    return Stream(answer | ({"cluster": cluster} if cluster else {}))


def events(**given: Any) -> Stream:
    """The stream of the events."""
    return stream(specs.events_stream(SETTINGS), **given)


def retry(**given: Any) -> Stream:
    """The stream of the parked retries."""
    return stream(specs.retry_stream(SETTINGS, 1, "file"), **given)


def letters(**given: Any) -> Stream:
    """The stream of the dead letters."""
    return stream(specs.dlq_stream(SETTINGS, 1, "file"), **given)


def claims(**given: Any) -> Stream:
    """A bucket."""
    return stream(specs.bucket(specs.CLAIMS, 86_400.0, SETTINGS, 1, "file"), **given)


def other(name: str, **config: Any) -> Stream:
    """Somebody else's stream."""
    return Stream({"config": {"name": name, "subjects": [], "storage": "file"} | config})


def durable(
    way: str = "main",
    handler: str = "ship",
    numbers: dict[str, Any] | None = None,
    oldest: float | None = None,
    **config: Any,
) -> Durable:
    """A durable as the worker creates it, but for ``config``; ``numbers`` is what INFO counts."""
    name = specs.durable_of("shop", handler, "lane" if way == "lane" else "main")
    subject = "evt.order.placed.v1" if way == "main" else specs.due_subject("shop", handler)
    made = {
        "durable_name": name,
        "filter_subject": subject,
        "ack_policy": "explicit",
        "ack_wait": 30 * NS,
        "max_deliver": -1,
        "max_ack_pending": -1,
        "metadata": {"glam.service": "shop", "glam.handler": handler, "glam.way": way},
    }
    place = {"name": name, "stream_name": "GLAM_EVENTS" if way == "main" else "GLAM_RETRY"}
    waits = {"num_waiting": 1, "created": CREATED}
    return Durable(place | waits | {"config": made | config} | (numbers or {}), oldest)


def record(name: str, created: int = CREATED_NS, **given: Any) -> DurableRecord:
    """What a worker has noted of a durable on the events' stream."""
    return DurableRecord("GLAM_EVENTS", 1, name, created, **given)


HEALTHY = Snapshot(
    version="2.15.1",
    account={"storage": 10, "limits": {"max_storage": -1}},
    streams=(events(), retry(), letters(), claims(), other("ELSE", subjects=["else.>"])),
    durables=(durable(), durable("lane")),
    monitors=(MONITOR,),
)


def with_streams(*changed: Stream) -> Snapshot:
    """The healthy snapshot with some streams in the place of those of their name, or beside."""
    names = {one.name for one in changed}
    kept = tuple(one for one in HEALTHY.streams if one.name not in names)
    return replace(HEALTHY, streams=kept + changed)


def with_main(**given: Any) -> Snapshot:
    """The healthy snapshot with another main durable."""
    return replace(HEALTHY, durables=(durable(**given), durable("lane")))


CLUSTER = {"name": "C", "leader": "n1", "replicas": [{"name": "n2", "current": True}]}
IN_CLUSTER = {"cluster": CLUSTER, "num_replicas": 3}
REPLICATED = with_streams(*(made(**IN_CLUSTER) for made in (events, retry, letters, claims)))
