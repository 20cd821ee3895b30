"""Checks of the durables that workers pull from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from glam_worker.doctor.findings import Finding, error, warning
from glam_worker.doctor.snapshot import Durable, Snapshot
from glam_worker.topology.specs import NS, durable_of

_APPLY = "glam-worker plan MODULE... shows it, glam-worker apply MODULE... changes it"
_LONG_PAUSE = 3600.0
_PULL_SECONDS = 30.0
"""What our pull requests ask for; see glam_worker.jetstream.requests."""


def acknowledgement(seen: Snapshot) -> Iterator[Finding]:
    """Without explicit acks nothing is ever given out again."""
    for durable in seen.ours:
        policy = durable.config.get("ack_policy", "none")
        if policy != "explicit":
            yield error(
                durable.thing,
                f"has ack_policy={policy}",
                "an event that is given out counts as handled, whatever becomes of it",
                "the policy cannot be changed: glam-worker apply MODULE... --recreate HANDLER",
            )


def max_deliver(seen: Snapshot) -> Iterator[Finding]:
    """The policy decides when an event is dead, not the server."""
    for durable in seen.ours:
        limit = int(durable.config.get("max_deliver") or -1)
        if limit > 0:
            yield error(
                durable.thing,
                f"has max_deliver={limit}",
                "the server gives up after so many deliveries, crashes included, and leaves no "
                "dead letter; a worker does not pull it",
                _APPLY,
            )


def backoff(seen: Snapshot) -> Iterator[Finding]:
    """The server's backoff replaces ack_wait, and is added to the delay of what is handed back."""
    for durable in seen.ours:
        if durable.config.get("backoff"):
            yield error(
                durable.thing,
                "has a backoff",
                "it replaces ack_wait, so that events run twice; a worker does not pull it",
                _APPLY,
            )


def contents(seen: Snapshot) -> Iterator[Finding]:
    """It must give out whole messages, to whoever pulls."""
    for durable in seen.ours:
        if durable.config.get("headers_only"):
            yield error(
                durable.thing,
                "has headers_only=true",
                "events come without their bodies; a worker does not pull it",
                _APPLY,
            )
        if durable.config.get("deliver_subject"):
            yield error(
                durable.thing,
                "is a push consumer",
                "a worker pulls, and gets nothing from it",
                "it cannot be changed: glam-worker apply MODULE... --recreate HANDLER",
            )


def inactivity(seen: Snapshot) -> Iterator[Finding]:
    """A durable must outlive its workers."""
    for durable in seen.ours:
        threshold = int(durable.config.get("inactive_threshold") or 0) / NS
        if threshold:
            yield error(
                durable.thing,
                f"is deleted by the server after {threshold:g} s without a worker",
                "its place in the stream goes with it: events are skipped, or all run again",
                f"nats consumer edit {durable.stream} {durable.name} --inactive-threshold=0",
            )


def pull_limits(seen: Snapshot) -> Iterator[Finding]:
    """The server must take the requests that workers send."""
    for durable in seen.ours:
        expires = int(durable.config.get("max_expires") or 0) / NS
        limits = [
            f"{name}={durable.config[name]}"
            for name in ("max_batch", "max_bytes")
            if int(durable.config.get(name) or 0) > 0
        ]
        if 0 < expires < _PULL_SECONDS:
            limits.append(f"max_expires={expires:g}s")
        if limits:
            yield error(
                durable.thing,
                f"limits requests: {', '.join(limits)}",
                "larger requests are refused, and the worker gets nothing",
                f"nats consumer edit {durable.stream} {durable.name}, and remove them",
            )


def kept_as_its_stream(seen: Snapshot) -> Iterator[Finding]:
    """What a durable knows must live as long as its stream."""
    for durable in seen.ours:
        stream = seen.stream(durable.stream)
        fewer = int(durable.config.get("num_replicas") or 0)
        if durable.config.get("mem_storage") and stream and stream.config["storage"] == "file":
            yield error(
                durable.thing,
                "is kept in memory",
                "a restart of its server forgets what was handled",
                "it cannot be changed: glam-worker apply MODULE... --recreate HANDLER",
            )
        if stream is not None and 0 < fewer < stream.replicas:
            yield error(
                durable.thing,
                f"has {fewer} replica(s), its stream {stream.replicas}",
                "a lost server forgets what was handled, or stops this handler",
                f"nats consumer edit {durable.stream} {durable.name} --replicas=0",
            )


def ack_wait(seen: Snapshot) -> Iterator[Finding]:
    """The time after which a worker that says nothing counts as dead."""
    for durable in seen.ours:
        seconds = int(durable.config.get("ack_wait") or 30 * NS) / NS
        if seconds < 5.0:
            yield warning(
                durable.thing,
                f"has ack_wait={seconds:g}s",
                "a short pause of the worker or the network makes events run twice",
                "declare ack_wait=30, then glam-worker apply MODULE...",
            )
        elif seconds > 900.0:
            yield warning(
                durable.thing,
                f"has ack_wait={seconds:g}s",
                "so long nobody works what a crashed worker had in hand",
                "declare ack_wait=30: a long run is kept alive by the worker",
            )


def max_ack_pending(seen: Snapshot) -> Iterator[Finding]:
    """The credits of the workers are the bound, not the server's count."""
    wanted = seen.concurrency + max(2, seen.concurrency // 4)
    for durable in seen.ours:
        limit = int(durable.config.get("max_ack_pending") or -1)
        if limit < 0:
            continue
        held, waiting = durable.count("num_ack_pending"), durable.count("num_pending")
        full = held >= limit and waiting > 0
        yield (error if full else warning)(
            durable.thing,
            f"has max_ack_pending={limit}, of which {held} are used"
            + (f", and {waiting} events wait" if waiting else ""),
            f"all workers together hold no more; one with {seen.concurrency} runs at a time asks "
            f"for {wanted}",
            _APPLY,
        )


def paused(seen: Snapshot) -> Iterator[Finding]:
    """A pause that was forgotten looks like a quiet day."""
    for durable in seen.ours:
        if not durable.answer.get("paused"):
            continue
        left = int(durable.answer.get("pause_remaining") or 0) / NS
        stream = seen.stream(durable.stream)
        age = stream.max_age if stream else 0.0
        loses = bool(age) and (durable.oldest or 0.0) + left > age
        if not loses and left <= _LONG_PAUSE and not durable.backlog:
            continue
        yield (error if loses else warning)(
            durable.thing,
            f"is paused for another {left / 60:.0f} min, and {durable.backlog} events wait",
            "events are dropped by the stream's age before it goes on"
            if loses
            else "nobody works them meanwhile",
            f"glam-worker resume {durable.owner[1] if durable.owner else durable.name}",
        )


def nobody_pulls(seen: Snapshot) -> Iterator[Finding]:
    """Events wait and no worker asks for them."""
    for durable in seen.ours:
        idle = not durable.count("num_waiting") and not durable.count("num_ack_pending")
        if idle and durable.count("num_pending") and not durable.answer.get("paused"):
            yield warning(
                durable.thing,
                f"has {durable.count('num_pending')} events waiting, and no worker asks for them",
                "they are not worked, and are dropped at the stream's age",
                "start the worker, or look at its /readyz; plan shows what a gone handler left",
            )


def near_the_age(seen: Snapshot) -> Iterator[Finding]:
    """A stream drops what is old, handled or not."""
    for durable in seen.ours:
        stream = seen.stream(durable.stream)
        if stream is None or not stream.max_age or durable.oldest is None:
            continue
        part = durable.oldest / stream.max_age
        if part >= 0.5:
            yield error(
                durable.thing,
                f"has an event that waits since {durable.oldest / 3600:.3g} h; the stream drops it "
                f"after {stream.max_age / 3600:g} h",
                "it is lost then, and so is what follows",
                f"more workers; until then: nats stream edit {stream.name} --max-age=...",
            )


def given_up(seen: Snapshot) -> Iterator[Finding]:
    """What a server's max_deliver gave up is in no dead letter; it is only not given out."""
    for durable in seen.durables:
        if not durable.given_up:
            continue
        known = seen.given_up.get((durable.stream, durable.name), ())
        which = f" (sequences {', '.join(map(str, known))})" if known else ""
        yield (error if durable.owner else warning)(
            durable.thing,
            f"gives out {durable.given_up} events no more{which}: a max_deliver was reached",
            "they are handled by nobody and lie in no dead letter; raising max_deliver does not "
            "bring them back",
            _bring_back(durable, known),
        )


def _bring_back(durable: Durable, known: tuple[int, ...]) -> str:
    first = str(known[0]) if known else "SEQUENCE"
    return (
        f"read one with nats stream get {durable.stream} {first}, and publish it again; or let all "
        f"from there run again: nats request '$JS.API.CONSUMER.RESET.{durable.stream}."
        f"{durable.name}' '{{\"seq\": {first}}}' (server 2.14)"
    )


def deleted(seen: Snapshot) -> Iterator[Finding]:
    """What was created and is gone took its place in the stream with it."""
    present = {(one.stream, one.name): one.created for one in seen.durables}
    for record in seen.records:
        hidden = seen.hidden(f"CONSUMER.LIST.{record.stream}")
        same = present.get((record.stream, record.durable)) == record.created
        if not (same or hidden or record.moved_to):
            yield warning(
                f"consumer {record.durable} on stream {record.stream}",
                "was created by a worker, and is deleted or another one by now",
                "where it stood went with it: a worker that declares it does not work it",
                "decide: glam-worker apply MODULE... --recreate HANDLER --from floor|new|all",
            )


def one_owner(seen: Snapshot) -> Iterator[Finding]:
    """One handler has one durable for each way, and it has the handler's name."""
    having: dict[tuple[str, str, str], list[Durable]] = defaultdict(list)
    for durable in seen.ours:
        if durable.owner:
            having[durable.owner].append(durable)
    for (service, handler, way), durables in having.items():
        if len(durables) > 1:
            places = " and ".join(f"{one.name} on {one.stream}" for one in durables)
            yield error(
                f"handler {handler} of service {service}",
                f"owns several durables ({way}): {places}",
                "one of them is pulled by nobody and its events wait, or both are and events "
                "run twice",
                "plan MODULE... says which is declared; delete the other with nats consumer rm",
            )
        for durable in durables:
            declared = durable_of(service, handler, "lane" if way == "lane" else "main")
            if durable.name != declared:
                yield error(
                    durable.thing,
                    f"says it belongs to {service}/{handler}, whose durable is {declared}",
                    "no worker pulls a durable with another owner's mark",
                    "delete it with nats consumer rm, or correct its metadata",
                )
