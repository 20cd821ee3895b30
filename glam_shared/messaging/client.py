"""The connection of a service to JetStream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nats.aio.client import Client
from nats.js import JetStreamContext

from glam_shared.logging import ServiceLogger
from glam_shared.messaging.acked_publisher import (
    DEFAULT_PATIENCE,
    AckedPublisher,
    Message,
    Patience,
)
from glam_shared.messaging.broker_errors import ConnectionLost, PermissionDenied
from glam_shared.messaging.connect_options import ConnectOptions, Secret, Timings
from glam_shared.messaging.connection import Connection
from glam_shared.messaging.dialer import server_version
from glam_shared.messaging.domain import Domain
from glam_shared.messaging.headers import NATS_MSG_ID
from glam_shared.messaging.jetstream_api import JetStreamApi
from glam_shared.messaging.publish_ack import PubAck
from glam_shared.messaging.reply_mux import ReplyMux
from glam_shared.messaging.server_address import split_servers
from glam_shared.messaging.server_clock import ServerClock
from glam_shared.messaging.streams import Streams, StreamSummary

__all__ = ["JetStreamClient", "Message", "PubAck", "StreamSummary"]


class JetStreamClient:
    """The one place that knows how a connection dies and is brought back.

    * `connect` is bounded and names the cause; from then on the connection heals itself.
    * `epoch`, `watch` and `wait_connected` say when it is there; `problem` why it is not.
    * `api` asks JetStream, `publish_acked` stores a message.

    Subscriptions survive a reconnect of the same `client`; when it had to be replaced by a new
    one, `epoch` rises all the same and whoever subscribed must do so again.
    """

    def __init__(
        self,
        logger: logging.Logger | ServiceLogger | None = None,
        *,
        timings: Timings | None = None,
    ) -> None:
        log = logger or logging.getLogger("glam_shared.messaging")
        self._connection = Connection(log, timings or Timings())
        self._mux = ReplyMux()
        self._clock = ServerClock(log)
        self._api = JetStreamApi(self._connection, self._mux, self._clock)
        self._domain = Domain(self._api)
        self._publisher = AckedPublisher(self._connection, self._mux, self._domain)
        self._streams = Streams(self._api, log)
        self._js: JetStreamContext | None = None
        self._connection.changes.add(self._mux.on_connection)
        self._connection.denials.add(self._mux.on_denial)

    async def connect(  # noqa: PLR0913 - one keyword for each setting of an operator
        self,
        servers: str | Sequence[str],
        *,
        user: Secret = None,
        password: Secret = None,
        token: Secret = None,
        credentials: str | Path | None = None,
        nkey_seed: str | Path | None = None,
        tls_ca: str | Path | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        inbox_prefix: str = "_INBOX",
        domain: str | None = None,
        name: str | None = None,
        timeout: float = 30.0,
        min_server_version: str | None = None,
    ) -> None:
        """Connect to one of *servers* (a comma-separated text will do) within *timeout* seconds.

        Secrets may be functions; they, and the files, are read again on every later attempt.
        Refused credentials, untrusted certificates and servers that are too old end it at once;
        servers that do not answer are tried until the time is over.

        Raises ConnectionFailed with the cause for each server, ServerTooOld with the version
        found and needed, ConfigurationError for addresses that cannot be read or when connected.
        """
        options = ConnectOptions(
            servers=split_servers(servers),
            user=user,
            password=password,
            token=token,
            credentials=credentials,
            nkey_seed=nkey_seed,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            inbox_prefix=inbox_prefix,
            domain=domain,
            name=name,
            min_server_version=min_server_version,
        )
        await self._open(options, timeout)

    async def connect_as(
        self, other: JetStreamClient, *, name: str | None = None, timeout: float = 30.0
    ) -> None:
        """Connect to the same servers as the same user as *other*, which is or was connected.

        It may be of another thread's event loop; functions that give secrets are then called in
        both. Raises what `connect` raises, and ConnectionLost when *other* never was connected.
        """
        options = other._connection.options
        if options is None:
            raise ConnectionLost("The other client was never connected.")
        await self._open(replace(options, name=name), timeout)

    async def _open(self, options: ConnectOptions, timeout: float) -> None:
        self._domain.use(options.domain)
        await self._connection.open(options, timeout)

    async def close(self) -> None:
        """Close; takes 2 s at most, even of a server that is dead. Harmless when closed."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        """Nothing is connected yet: call `connect`."""
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- the connection ---

    @property
    def client(self) -> Client:
        """The present client of nats-py. ConnectionLost before `connect` and after `close`."""
        return self._connection.client

    @property
    def js(self) -> JetStreamContext:
        """nats-py's JetStream context of the present client."""
        client = self.client
        if self._js is None or self._js._nc is not client:
            self._js = client.jetstream(domain=self.domain)
        return self._js

    @property
    def domain(self) -> str | None:
        """The JetStream domain; None is the account's own."""
        return self._domain.name

    def is_connected(self) -> bool:
        """Whether what is sent now has a server to go to."""
        return self._connection.is_up()

    async def wait_connected(self, timeout: float | None) -> bool:
        """Wait until it is connected, at most *timeout* seconds; says whether it is."""
        return await self._connection.wait_up(timeout)

    def watch(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """Call *listener* on the loop with True right after `epoch` rose, False on disconnect.

        The answer is the function that ends it. What a listener raises is logged.
        """
        return self._connection.changes.add(listener)

    def watch_denials(self, listener: Callable[[PermissionDenied], None]) -> Callable[[], None]:
        """Call *listener* when the server denies a publish or a subscription.

        What was denied sees no more than silence.
        """
        return self._connection.denials.add(listener)

    @property
    def epoch(self) -> int:
        """0 before the first connection; one more each time a connection stands."""
        return self._connection.epoch

    @property
    def reconnects(self) -> int:
        """How often a lost connection was followed by another."""
        return max(0, self._connection.epoch - self._connection.opened)

    @property
    def problem(self) -> str | None:
        """Why it is not usable right now; None while it is."""
        return self._connection.present_problem()

    @property
    def server_version(self) -> str:
        """Of the server connected to, such as `2.12.1`."""
        return server_version(self.client)

    @property
    def max_payload(self) -> int:
        """Bytes of body and headers the server takes in one message."""
        return self.client.max_payload

    @property
    def clock_offset(self) -> float:
        """Seconds the server's clock is ahead of ours; 0 until an answer told its time."""
        return self._clock.offset

    def server_time(self) -> datetime:
        """The server's time, aware, in UTC; this machine's until an answer told the server's."""
        return self._clock.now()

    async def ask_time(self, operation: str) -> datetime:
        """The server's time; asks *operation*, such as `STREAM.INFO.ORDERS`, if none was told."""
        if not self._clock.is_set:
            await self.api(operation)
        return self._clock.now()

    # --- requests ---

    async def api(
        self, operation: str, body: Mapping[str, Any] | None = None, *, timeout: float = 5.0
    ) -> dict[str, Any]:
        """JetStream's answer to *operation*, such as `STREAM.INFO.ORDERS`, as JSON.

        Raises ApiError (NotFound of its kind), NoAnswer after *timeout* seconds, NobodyListens,
        PermissionDenied, ConnectionLost. See https://docs.nats.io/reference/reference-protocols/nats_api_reference
        """
        return await self._api.call(operation, body, timeout)

    async def request(self, subject: str, body: bytes, timeout: float) -> bytes:
        """Somebody's answer. Raises as `api` does, but for ApiError; at once when disconnected."""
        return await self._mux.ask(self.client, subject, body, timeout)

    async def publish_acked(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        *,
        msg_id: str,
        timeout: float = 5.0,
        budget: float = 30.0,
    ) -> PubAck:
        """Store a message and await the PubAck; try again with the same id for *budget* seconds.

        Raises MessageTooLarge before sending; PublishRefused and PermissionDenied at once, as
        waiting does not help; PublishFailed when the budget is spent: it may be stored or not.
        """
        message = Message(subject, body, {**(headers or {}), NATS_MSG_ID: msg_id})
        return await self.publish(message, Patience(timeout, budget))

    async def publish(self, message: Message, patience: Patience = DEFAULT_PATIENCE) -> PubAck:
        """The same for a message that is whole, its id among the headers."""
        return await self._publisher.publish(message, patience)

    async def publish_all(
        self,
        messages: Iterable[Message],
        stored: Callable[[PubAck], None],
        *,
        in_flight: int = 512,
    ) -> int:
        """Store many messages, at most *in_flight* of them unanswered; how many there were.

        *stored* is called for each PubAck, in order. Raises BulkFailed, which says which are not
        known to be stored; it takes no more of *messages* after the first failure.
        """
        return await self._publisher.publish_all(messages, stored, in_flight=in_flight)

    async def keys_of(self, bucket: str) -> str:
        """What the keys of a bucket are written below. Raises BrokerError."""
        return await self._domain.keys_of(bucket)

    async def ensure_stream(
        self, name: str, subjects: Sequence[str], **config: Any
    ) -> StreamSummary:
        """Create the stream unless it exists; one that exists is used as it is.

        *config* takes the fields of `nats.js.api.StreamConfig` (ages in seconds). What differs
        in an existing stream is logged, never changed. Raises ApiError, ConfigurationError.
        """
        return await self._streams.ensure(name, subjects, config)

    async def delete_stream(self, name: str) -> None:
        """Delete the stream and all it holds. Raises NotFound."""
        await self._streams.delete(name)

    async def get_stream_info(self, name: str) -> StreamSummary:
        """The stream's name, subjects, messages and bytes. Raises NotFound."""
        return await self._streams.summary(name)
