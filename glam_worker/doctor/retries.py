"""Checks of where retries are parked, and of how they come back."""

from __future__ import annotations

from collections.abc import Iterator

from glam_worker.declare.filters import overlaps
from glam_worker.doctor.findings import Finding, error, warning
from glam_worker.doctor.snapshot import Snapshot
from glam_worker.topology.drift import retry_stream_problems
from glam_worker.topology.specs import due_subject


def retry_stream(seen: Snapshot) -> Iterator[Finding]:
    """It must exist, allow schedules, and have no limit."""
    stream = seen.retry_stream
    if stream is None:
        if seen.ours and not seen.hidden(f"STREAM.INFO.{seen.names.retry}"):
            yield error(
                f"stream {seen.names.retry}",
                "does not exist",
                "no retry can be parked: failed events run again every 30 s",
                "restart a worker, which creates it; what was parked is gone with the old one",
            )
        return
    for problem in retry_stream_problems(dict(stream.answer)):
        found, _, remedy = problem.removeprefix(f"{stream.thing} ").rpartition("; ")
        yield error(stream.thing, found, "a worker does not start with it", remedy)


def retry_copies(seen: Snapshot) -> Iterator[Finding]:
    """A mirror or source of waiting schedules takes them out."""
    for stream in seen.streams:
        copied = [stream.config.get("mirror") or {}, *(stream.config.get("sources") or [])]
        if any(source.get("name") == seen.names.retry for source in copied):
            yield error(
                stream.thing,
                f"mirrors or sources {seen.names.retry}",
                "parked retries are taken out before they are due: they are lost",
                f"delete {stream.name}, or remove the source from it",
            )


def retry_consumers(seen: Snapshot) -> Iterator[Finding]:
    """The ack of a consumer that is given a waiting retry cancels it."""
    for durable in seen.durables:
        if durable.stream != seen.names.retry:
            continue
        if any(overlaps(subject, "retry.wait.>") for subject in durable.filters):
            yield error(
                durable.thing,
                f"is given {', '.join(durable.filters)}",
                "its acks cancel parked retries: they are lost",
                f"nats consumer rm {durable.stream} {durable.name}",
            )


def longest_retry(seen: Snapshot) -> Iterator[Finding]:
    """A handler's policy must end before the streams drop what it is about."""
    present = {(durable.stream, durable.name) for durable in seen.ours}
    parked = seen.retry_stream.max_age if seen.retry_stream else 0.0
    for record in seen.records:
        if record.moved_to or (record.stream, record.durable) not in present:
            continue
        events, thing = seen.stream(record.stream), f"handler of consumer {record.durable}"
        if 0 < parked <= (record.longest_delay or 0.0):
            yield error(
                thing,
                f"waits up to {_span(record.longest_delay or 0.0)} before a retry, and stream "
                f"{seen.names.retry} keeps parked retries for {_span(parked)}",
                "they are dropped before they are due",
                "glam-worker apply MODULE... removes the limit of the stream",
            )
        if events and 0 < events.max_age <= (record.worked_for or 0.0):
            yield warning(
                thing,
                f"tries an event for up to {_span(record.worked_for or 0.0)}, and stream "
                f"{record.stream} keeps events for {_span(events.max_age)}",
                "an event that is too large to be parked is dropped before its last try, and the "
                "letter of such an event refers to a body that is gone",
                f"nats stream edit {record.stream} --max-age=...; or fewer attempts",
            )


def _span(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120.0 else f"{seconds / 3600.0:.3g} h"


def overdue_retries(seen: Snapshot) -> Iterator[Finding]:
    """A schedule that did not fire."""
    overdue = sorted(seen.parked.overdue, key=lambda one: -one.late)
    if overdue:
        of = "" if seen.parked.all_seen else f" of the oldest {seen.parked.looked_at}"
        yield error(
            f"stream {seen.names.retry}",
            f"holds {len(overdue)}{of} parked retries that did not come back, the latest "
            f"{overdue[0].late:.0f} s late ({overdue[0].subject})",
            "the server's scheduler did not fire: these events are not worked",
            f"nats stream cluster step-down {seen.names.retry}, or restart its server: it fires "
            "what is overdue when it starts",
        )


def passed_retries(seen: Snapshot) -> Iterator[Finding]:
    """A lane is past what was due before it was given these subjects."""
    for name, count in seen.parked.passed_by.items():
        if count > 0:
            yield error(
                f"consumer {name} on stream {seen.names.retry}",
                f"does not hand out {count} retries that are due and that it should",
                "it was past them when it was given their subjects: these events are not worked",
                f"nats consumer rm {seen.names.retry} {name}, then glam-worker apply MODULE..., "
                "which makes it anew: nothing is lost by that",
            )


def lanes(seen: Snapshot) -> Iterator[Finding]:
    """What is due waits for its lane; a handler has two durables."""
    owned = {durable.owner for durable in seen.ours}
    taken = {one for durable in seen.durables for one in durable.filters}
    for (service, handler), count in sorted(seen.parked.due.items()):
        if due_subject(service, handler) not in taken and seen.service in (None, service):
            yield warning(
                f"handler {handler} of service {service}",
                f"has {count} retries or replays due and no lane",
                "they wait until a worker that declares it starts; the handler may be gone",
                "start its worker, or move them: glam-worker apply MODULE... --move OLD=NEW",
            )
    if seen.hidden("CONSUMER.LIST") or seen.unanswered:
        return
    mains = {owner[:2] for owner in owned if owner and owner[2] == "main"}
    lanes = {owner[:2] for owner in owned if owner and owner[2] == "lane"}
    for service, handler in sorted(mains ^ lanes):
        missing = "lane" if (service, handler) in mains else "main"
        yield warning(
            f"handler {handler} of service {service}",
            f"has no durable for its {missing} way",
            "its retries do not come back" if missing == "lane" else "it gets no events",
            "glam-worker plan MODULE... shows what would be done, or which decision it needs",
        )
