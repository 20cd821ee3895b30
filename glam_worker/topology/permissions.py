"""Who needs to be allowed what at the server: the least for each kind of user. Pure.

A permission names a subject (https://docs.nats.io/running-a-nats-service/configuration/securing_nats/authorization).
What is not named is denied, and a denied request looks like a timeout to whoever sent it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from glam_shared.messaging.letter_parts import letter_subject
from glam_worker.declare.filters import covers, is_wildcard
from glam_worker.declare.handler import Handler
from glam_worker.settings import Settings
from glam_worker.topology import specs


@dataclass(frozen=True, slots=True)
class Grant:
    """A subject that may be published to, or subscribed to."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of user."""

    name: str
    """``worker``, ``deploy``, ``operator`` or ``publisher``."""
    does: str
    publish: tuple[Grant, ...]
    subscribe: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a handler's events come from."""

    handler: Handler
    stream: str
    """``*`` where only the server knows which stream holds the subject."""


def roles(
    handlers: Sequence[Handler], settings: Settings, emitted: Sequence[str] = ()
) -> tuple[Role, ...]:
    """The users of a service; ``emitted`` are the subjects that its handlers publish to."""
    needs = _Needs(handlers, settings)

    def least(grants: Iterable[Grant]) -> tuple[Grant, ...]:
        return _once(_as_mapped(grants, settings))

    inbox = (Grant(f"{settings.nats_inbox_prefix}.>", "answers to its own requests"),)
    return (
        Role("worker", "glam-worker run", least(needs.worker(emitted)), inbox),
        Role("deploy", "glam-worker plan and apply", least(needs.deploy()), inbox),
        Role(
            "operator",
            "glam-worker status, top, dlq, pause, resume, doctor and console",
            least(needs.operator()),
            inbox,
        ),
        Role("publisher", "a service that publishes the events", least(needs.publisher()), inbox),
    )


def _as_mapped(grants: Iterable[Grant], settings: Settings) -> Iterator[Grant]:
    """Requests to a domain, also as its own servers see them.

    They map the subject before they look at permissions; a leaf node in front of them does not.
    """
    domain = f"{api_prefix(settings)}."
    for grant in grants:
        yield grant
        if settings.js_domain and grant.subject.startswith(domain):
            asked = grant.subject.removeprefix(domain)
            yield Grant(asked if asked[0] == "$" else f"$JS.API.{asked}", grant.why)


def _once(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Each subject once, for the first reason; of events and letters none that another covers."""
    first: dict[str, Grant] = {}
    for grant in grants:
        first.setdefault(grant.subject, grant)
    wide = [subject for subject in first if is_wildcard(subject) and subject[0] != "$"]
    return tuple(
        grant
        for subject, grant in first.items()
        if subject[0] == "$"
        or not any(other != subject and covers(other, subject) for other in wide)
    )


def api_prefix(settings: Settings) -> str:
    """Where requests to JetStream go."""
    return f"$JS.{settings.js_domain}.API" if settings.js_domain else "$JS.API"


def ack_subjects(stream: str, durable: str) -> tuple[str, str]:
    """Where settlements of a durable's deliveries go.

    Nine tokens, and twelve where the server names domain and account (``js_ack_fc_v2``).
    """
    return f"$JS.ACK.{stream}.{durable}.>", f"$JS.ACK.*.*.{stream}.{durable}.>"


class _Needs:
    """What each kind of user of these handlers sends."""

    def __init__(self, handlers: Sequence[Handler], settings: Settings) -> None:
        self._settings = settings
        self._places = [Place(handler, _stream_of(handler, settings)) for handler in handlers]
        self._buckets = [specs.STATE, specs.LEDGER]
        if any(handler.options.remembered_for is not None for handler in handlers):
            self._buckets.append(specs.CLAIMS)
        self._events = list(dict.fromkeys(place.stream for place in self._places))
        self._own = [
            settings.retry_stream,
            settings.dlq_stream,
            *(f"KV_{bucket}" for bucket in self._buckets),
        ]

    # --- the worker ---

    def worker(self, emitted: Sequence[str]) -> Iterator[Grant]:
        """Runs the handlers. Creates and deletes nothing."""
        yield self._api("STREAM.NAMES", "which stream holds a subject")
        for stream in (*self._events, *self._own):
            yield self._api(f"STREAM.INFO.{stream}", "is it there, and as it should be")
        for stream in (*self._events, *self._own):
            yield self._api(f"STREAM.MSG.GET.{stream}", "read one message by its place")
        for stream in (*self._events, self._settings.retry_stream):
            yield self._api(f"CONSUMER.LIST.{stream}", "which durables there are (doctor)")
        for place in self._places:
            yield from self._pulling(place)
        for place in self._places:
            yield from self._storing(place)
        for bucket in self._buckets:
            yield self._keys(bucket, "write to the bucket")
        for subject in emitted:
            yield Grant(subject, "published by its handlers")

    def _pulling(self, place: Place) -> Iterator[Grant]:
        for stream, durable in self._both(place):
            yield self._api(f"CONSUMER.INFO.{stream}.{durable}", "is it the one it was")
            yield self._api(f"CONSUMER.MSG.NEXT.{stream}.{durable}", "ask for events")
            for subject in ack_subjects(stream, durable):
                yield Grant(subject, "settle deliveries: who may do so can lose events")

    def _storing(self, place: Place) -> Iterator[Grant]:
        handler = place.handler
        parked = specs.wait_subject(handler.service, handler.name, ">")
        yield Grant(parked, "park retries")
        yield Grant(letter_subject(handler.subject), "write dead letters")

    # --- who changes streams and durables ---

    def deploy(self) -> Iterator[Grant]:
        """Creates and changes streams and durables, and moves dead letters to their stream."""
        yield from self._looking()
        ours = [self._settings.events_stream] * (self._settings.events_stream in self._events)
        for stream in (*ours, *self._own):
            for verb in ("CREATE", "UPDATE"):
                yield self._api(f"STREAM.{verb}.{stream}", f"{verb.lower()} the stream")
        for place in self._places:
            yield from self._durables(place)
        yield self._keys(specs.STATE, "record what was created")
        yield Grant(specs.DLQ_SUBJECTS[0], "move dead letters to their own stream")

    def _durables(self, place: Place) -> Iterator[Grant]:
        for stream, durable in self._both(place):
            for verb in ("CREATE", "DELETE"):
                yield self._api(f"CONSUMER.{verb}.{stream}.{durable}", f"{verb.lower()} it")
        for former in place.handler.options.previously:
            for stream, durable in self._both(place, former):
                yield self._api(f"CONSUMER.DELETE.{stream}.{durable}", "take over from it")

    def _both(self, place: Place, name: str | None = None) -> tuple[tuple[str, str], ...]:
        """Stream and name of the two durables that the handler has, or had as ``name``."""
        service, called = place.handler.service, name or place.handler.name
        lane = specs.durable_of(service, called, "lane")
        return (
            (place.stream, specs.durable_of(service, called)),
            (self._settings.retry_stream, lane),
        )

    # --- who looks, and repairs ---

    def operator(self) -> Iterator[Grant]:
        """Looks at everything, replays and drops letters, pauses and resumes handlers."""
        yield from self._looking()
        yield self._api("INFO", "the account's limits")
        yield self._api(
            f"STREAM.MSG.DELETE.{self._settings.dlq_stream}", "drop a letter, or one replayed"
        )
        for verb in ("CREATE", "MSG.NEXT", "DELETE"):
            subject = f"CONSUMER.{verb}.{self._settings.dlq_stream}.*"
            yield self._api(subject, "read many letters, by a consumer made for it")
        for verb in ("CREATE", "MSG.NEXT", "DELETE"):
            walk = f"CONSUMER.{verb}.{self._settings.dlq_stream}.*"
            yield self._api(walk, "read all letters, with a consumer for the time")
        yield Grant(specs.DLQ_SUBJECTS[0], "import letters")
        for place in self._places:
            yield from self._operating(place)

    def _operating(self, place: Place) -> Iterator[Grant]:
        handler = place.handler
        for stream, durable in self._both(place):
            yield self._api(f"CONSUMER.PAUSE.{stream}.{durable}", "pause and resume it")
        for name in (handler.name, *handler.options.previously):
            lane = specs.durable_of(handler.service, name, "lane")
            create = f"CONSUMER.CREATE.{self._settings.retry_stream}.{lane}"
            yield self._api(create, "a lane for letters of a handler that has none")
            yield Grant(specs.due_subject(handler.service, name), "replay letters")

    def _looking(self) -> Iterator[Grant]:
        for verb in ("NAMES", "LIST", "INFO.*", "MSG.GET.*"):
            yield self._api(f"STREAM.{verb}", "look at streams, and at what they keep")
        for verb in ("NAMES.*", "LIST.*", "INFO.*.*"):
            yield self._api(f"CONSUMER.{verb}", "look at durables")

    # --- who publishes ---

    def publisher(self) -> Iterator[Grant]:
        """Publishes what the handlers work, and may ask first whether a stream takes it."""
        yield self._api("STREAM.NAMES", "whether a stream takes it, which `publish` asks first")
        if self._settings.js_domain:
            for stream in self._events:
                yield self._api(f"STREAM.INFO.{stream}", "whose PubAck it is that names a domain")
        for place in self._places:
            yield Grant(place.handler.subject, f"events of handler {place.handler.name}")

    def _api(self, operation: str, why: str) -> Grant:
        return Grant(f"{api_prefix(self._settings)}.{operation}", why)

    def _keys(self, bucket: str, why: str) -> Grant:
        if self._settings.js_domain:
            return self._api(f"$KV.{bucket}.>", why)
        return Grant(f"$KV.{bucket}.>", why)


def _stream_of(handler: Handler, settings: Settings) -> str:
    if handler.options.stream:
        return handler.options.stream
    ours = any(covers(held, handler.subject) for held in specs.EVENT_SUBJECTS)
    return settings.events_stream if ours else "*"
