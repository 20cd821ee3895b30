"""Checks of every stream that something of ours lies in."""

from __future__ import annotations

from collections.abc import Iterator

from glam_worker.doctor.findings import Finding, error, warning
from glam_worker.doctor.server import FULL
from glam_worker.doctor.snapshot import Snapshot, Stream
from glam_worker.topology.specs import NS

_DAY = 86_400.0


def replicas(seen: Snapshot) -> Iterator[Finding]:
    """In a cluster one copy is one too few, and nothing may be kept less well than the events."""
    events = max((stream.replicas for stream in seen.events_streams), default=1)
    for stream in seen.kept():
        if stream.replicas < events:
            yield error(
                stream.thing,
                f"has {stream.replicas} replica(s), the events have {events}",
                "a lost server takes retries, letters or records with it, though not the events",
                f"nats stream edit STREAM --replicas={events}",
            )
        elif stream.cluster.get("name") and stream.replicas == 1:
            yield error(
                stream.thing,
                f"has 1 replica in cluster {stream.cluster['name']}",
                "while its server is away nothing is stored or worked; a lost disk loses it all",
                "nats stream edit STREAM --replicas=3, and GLAM_STREAM_REPLICAS=3",
            )


def followers(seen: Snapshot) -> Iterator[Finding]:
    """A stream needs a leader, and followers that follow."""
    for stream in seen.kept():
        if not stream.cluster.get("name"):
            continue
        if not stream.cluster.get("leader"):
            yield error(
                stream.thing,
                "has no leader",
                "nothing is stored or worked until most of its servers are back",
                "start the servers that are away",
            )
        behind = [
            f"{peer['name']} is {'offline' if peer.get('offline') else 'behind'}"
            for peer in stream.cluster.get("replicas") or []
            if peer.get("offline") or not peer.get("current")
        ]
        if behind:
            yield warning(
                stream.thing,
                f"has followers in trouble: {', '.join(behind)}",
                "the next server that is lost may stop it",
                "start them, or look at their disks and network",
            )


def storage(seen: Snapshot) -> Iterator[Finding]:
    """Memory is lost with its servers."""
    for stream in seen.kept():
        if stream.config.get("storage") == "memory":
            yield (warning if stream.replicas >= 3 else error)(
                stream.thing,
                "is kept in memory",
                "a restart of its server(s) loses all of it",
                "storage cannot be changed: create it anew with storage=file and move what it has",
            )


def persist_mode(seen: Snapshot) -> Iterator[Finding]:
    """Asynchronous writes come after the PubAck (ADR-56)."""
    for stream in seen.kept():
        if stream.config.get("persist_mode") == "async":
            yield error(
                stream.thing,
                "has persist_mode=async",
                "it acknowledges before it writes: a crash of the server loses events",
                "the mode cannot be changed: create it anew without it, and move what it has",
            )


def taking(seen: Snapshot) -> Iterator[Finding]:
    """It must store what comes, say so, and take all that the server takes."""
    for stream in seen.kept():
        if stream.config.get("sealed"):
            yield error(stream.thing, "is sealed", "it takes nothing any more", "create it anew")
        if stream.config.get("no_ack"):
            yield error(
                stream.thing,
                "has no_ack=true",
                "nobody is told that something was stored: publishers, retries and letters fail",
                f"change it to no_ack=false (nats stream edit {stream.name})",
            )
        largest = stream.limit("max_msg_size")
        if largest and largest < seen.max_payload and stream not in seen.events_streams:
            yield error(
                stream.thing,
                f"takes messages of {largest} bytes, the server {seen.max_payload}",
                "retries or letters of larger events are refused",
                f"nats stream edit {stream.name} --max-msg-size=-1",
            )


def consumer_limits(seen: Snapshot) -> Iterator[Finding]:
    """What a stream imposes on its durables when they are created."""
    for stream in seen.kept():
        limits = stream.config.get("consumer_limits") or {}
        found = [f"{name}={limits[name]}" for name in sorted(limits) if int(limits[name] or 0) > 0]
        if found:
            yield error(
                stream.thing,
                f"limits its consumers: {', '.join(found)}",
                "new durables are refused, or deleted by the server when no worker pulls",
                f"remove them: nats stream edit {stream.name}",
            )


def events_retention(seen: Snapshot) -> Iterator[Finding]:
    """Events must stay until every handler has them."""
    for stream in seen.events_streams:
        retention = stream.config.get("retention", "limits")
        if retention == "interest":
            yield error(
                stream.thing,
                "has retention=interest",
                "what is published before a durable exists is acknowledged and dropped, and a "
                "deleted durable takes its backlog with it",
                f"change it to retention=limits (nats stream edit {stream.name})",
            )
        elif retention == "workqueue":
            yield warning(
                stream.thing,
                "has retention=workqueue",
                "an event is for one handler only, and is deleted by its ack",
                "use a stream with retention=limits for events that several handlers work",
            )


def events_age(seen: Snapshot) -> Iterator[Finding]:
    """An outage, or a pause, longer than the stream's age loses what came in it."""
    for stream in seen.events_streams:
        if 0 < stream.max_age < _DAY:
            yield warning(
                stream.thing,
                f"keeps events for {stream.max_age / 3600:.3g} h",
                "an outage of the workers that is longer loses the events that came in it; a "
                "letter that only refers to its event loses its body as soon",
                f"nats stream edit {stream.name} --max-age=7d, and GLAM_EVENTS_MAX_AGE",
            )


def events_limits(seen: Snapshot) -> Iterator[Finding]:
    """With discard=old a full stream drops its oldest events, handled or not."""
    for stream in seen.events_streams:
        if stream.config.get("discard", "old") != "old":
            continue
        if per_subject := stream.limit("max_msgs_per_subject"):
            yield error(
                stream.thing,
                f"has max_msgs_per_subject={per_subject}",
                "a new event drops an older one of its subject, handled or not",
                f"nats stream edit {stream.name} --max-msgs-per-subject=-1",
            )
        yield from _nearly_full(stream, seen)


def _nearly_full(stream: Stream, seen: Snapshot) -> Iterator[Finding]:
    part, limit = stream.fullness()
    if not limit:
        return
    waiting = sum(d.backlog for d in seen.ours if d.stream == stream.name)
    loses = part >= FULL and waiting
    yield (error if loses else warning)(
        stream.thing,
        f"is at {part:.0%} of {limit}={stream.limit(limit)} with discard=old"
        + (f", and {waiting} events are not settled" if waiting else ""),
        "a full stream drops its oldest events, handled or not, and tells nobody",
        f"raise or remove {limit}, and bound it by max_age; discard=new refuses new events instead",
    )


def duplicate_window(seen: Snapshot) -> Iterator[Finding]:
    """How long a message that is published again is known."""
    waits = [int(d.config.get("ack_wait") or 0) / NS for d in seen.ours]
    again = max(120.0, 2 * max(waits, default=0.0))
    letters = seen.letters_stream
    own = [stream for stream in (seen.retry_stream, letters) if stream is not None]
    least = {stream.name: 120.0 for stream in seen.events_streams}
    least |= {stream.name: again for stream in own if stream.name not in least}
    for stream in seen.kept():
        window = stream.limit("duplicate_window") / NS
        if stream.name in least and window < least[stream.name]:
            yield warning(
                stream.thing,
                f"knows duplicates for {window:g} s",
                "what is published again later, after a crash or a lost answer, is stored twice",
                f"nats stream edit {stream.name} --dupe-window={least[stream.name]:g}s or more",
            )
