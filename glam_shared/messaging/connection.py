"""One connection that is kept alive: it may be lost, and it comes back, until it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from nats.aio.client import Client

from glam_shared.errors import ConfigurationError
from glam_shared.logging import ServiceLogger
from glam_shared.messaging import client_internals, credentials, server_address
from glam_shared.messaging.backoff import reconnect_delay
from glam_shared.messaging.broker_errors import ConnectionFailed, ConnectionLost, PermissionDenied
from glam_shared.messaging.connect_causes import explain
from glam_shared.messaging.connect_options import ConnectOptions, Timings
from glam_shared.messaging.denials import Said, denial_in, needed
from glam_shared.messaging.dialer import Dialer, server_version
from glam_shared.messaging.listeners import Listeners
from glam_shared.messaging.reconnect import require_encryption
from glam_shared.messaging.watchdog import Remedy, Symptoms, Watchdog


class Connection:
    """Owns the present nats-py client.

    * Counts epochs: one more each time a connection stands, a new client's included.
    * Tells listeners when it stands (True) and when it is gone (False).
    * Says why it is not usable, as `problem`.
    * Applies the watchdog's remedies.
    """

    def __init__(self, log: logging.Logger | ServiceLogger, timings: Timings) -> None:
        self._log = log
        self._timings = timings
        self._client: Client | None = None
        self._dialer: Dialer | None = None
        self._watchdog = Watchdog(self._examine, self._treat, timings)
        self._watching: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._closed = False
        self._torn_down = False
        self._teardown_since: float | None = None
        self.options: ConnectOptions | None = None
        """How it was opened."""
        self.epoch = 0
        self.opened = 0
        """How many epochs began with `open`."""
        self.problem: str | None = "not connected yet"
        self.changes: Listeners[bool] = Listeners()
        self._said = Said()
        self.denials: Listeners[PermissionDenied] = Listeners()

    @property
    def client(self) -> Client:
        """The present client; raises ConnectionLost before the first and after the last."""
        if self._client is None:
            raise ConnectionLost("There is no NATS connection: call `connect` first.")
        return self._client

    def is_up(self) -> bool:
        """Whether what is sent now has a server to go to."""
        client = self._client
        return (
            self._up.is_set()
            and client is not None
            and client.is_connected
            and not client_internals.read_loop_ended(client)
        )

    def present_problem(self) -> str | None:
        """Why it is not up; None while it is."""
        if self.is_up():
            return None
        return self.problem or "the connection is dead and about to be renewed"

    async def wait_up(self, timeout: float | None) -> bool:
        """Wait until it is up, at most *timeout* seconds; says whether it is.

        Returns at once when it was closed.
        """
        if self.is_up():  # a timeout that is not needed costs more than the rest of a request
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self.is_up() and not self._closed:
                    self._fall("the connection broke")  # nats-py has not told us yet
                    await self._up.wait()
        return self.is_up()

    async def open(self, options: ConnectOptions, timeout: float) -> None:
        """Connect, within *timeout* seconds, and watch over it from then on.

        Raises ConnectionFailed, and ServerTooOld of its kind.
        """
        if self._client is not None:
            raise ConfigurationError("This client is connected already: close it first.")
        self._closed = False
        self._warn_about_plain_password(options)
        dialer = Dialer(options, self._timings, self)
        try:
            async with asyncio.timeout(timeout):
                client = await self._first(dialer)
        except TimeoutError:
            raise dialer.failure(within=timeout) from None
        if self._closed:
            client_internals.release(client)
            raise ConnectionLost("The NATS connection was closed while it was made.")
        self._dialer, self.options = dialer, options
        self.opened += 1
        self._adopt(client)
        self._watching = asyncio.create_task(self._watchdog.run(), name="nats-watchdog")

    async def close(self) -> None:
        """Give the connection up; bounded, whatever state the server is in."""
        client, watching = self._client, self._watching
        self._closed, self._watching = True, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching], timeout=self._timings.close)
        up = self.is_up()
        self._client, self.problem = None, "closed"
        self._fall("closed")
        self._up.set()  # wakes who waits for a connection that will not come
        self._up.clear()
        if client is not None:
            await self._release(client, up)

    async def _release(self, client: Client, up: bool) -> None:
        try:
            if up:  # nats-py's own `close` may hang, and raise a CancelledError nobody asked for
                await client_internals.round_trip(client, self._timings.close)
        finally:
            client_internals.release(client)
        await asyncio.sleep(0)  # its tasks end

    # --- what nats-py reports ---

    def on_error(self, client: Client, error: Exception) -> None:
        """Name denials; keep the cause while it is down; say the rest once."""
        if client is not self._client:
            return
        denied = denial_in(str(error))
        if denied is not None:
            if self._said.is_new(whole := needed(denied), time.monotonic()):
                self._log.warning("%s", whole)
            self.denials.tell(denied)
        elif self._up.is_set():
            self._log.warning("NATS reported: %s", str(error) or type(error).__name__)
        else:
            self._trouble(f"cannot reconnect: {explain(error).text}")

    def on_disconnected(self, client: Client) -> None:
        """The socket is closed."""
        if client is self._client:
            self._torn_down = True
            self._fall("disconnected")

    def on_reconnected(self, client: Client) -> None:
        """It stands again."""
        if client is self._client:
            self._rise(client)

    def on_closed(self, client: Client) -> None:
        """nats-py does not reconnect after most errors the server sends."""
        if client is self._client:
            self._fall(f"closed: {client.last_error or 'nats-py gave up'}")
            self._watchdog.look_now()

    # --- what the watchdog does ---

    def _examine(self) -> Symptoms:
        client = self.client
        connected = client.is_connected
        idle = client_internals.reconnect_idle(client)
        return Symptoms(
            closed=client.is_closed,
            connected=connected,
            loops_ended=connected and client_internals.loops_ended(client),
            reconnect_ended=not connected and idle,
            teardown=self._teardown(client),
        )

    def _teardown(self, client: Client) -> float:
        if self._torn_down or not client.is_reconnecting:
            self._teardown_since = None
            return 0.0
        if self._teardown_since is None:
            self._teardown_since = time.monotonic()
            self._fall("the connection broke")
        return time.monotonic() - self._teardown_since

    async def _treat(self, remedy: Remedy) -> None:
        client = self.client
        if remedy is Remedy.RECONNECT:
            self._log.warning("NATS connection: its read loop ended; reconnecting")
            await client.force_reconnect()
        elif remedy is Remedy.ABORT:
            self._log.warning("NATS connection: the dead socket does not close; aborting it")
            client_internals.abort_transport(client)
        else:
            await self._replace(client)

    async def _replace(self, old: Client) -> None:
        why = old.last_error or "nats-py gave up"
        self._log.warning("NATS connection: replacing the client: %s", why)
        self._fall(f"closed: {why}")
        client_internals.release(old)
        round_ = 0
        while (client := await self._again()) is None:
            refused = any(cause.refused for cause in self._dial.causes.values())
            await asyncio.sleep(reconnect_delay(round_, refused=refused))
            round_ += 1
        self._adopt(client)

    async def _again(self) -> Client | None:
        try:
            client = await self._dial.round()
        except ConnectionFailed as error:
            self._trouble(str(error))
            return None
        if client is None:
            self._trouble(f"cannot reconnect: {self._dial.describe()}")
        return client

    @property
    def _dial(self) -> Dialer:
        assert self._dialer is not None, "set by `open`"  # noqa: S101 - for the type checker
        return self._dialer

    # --- states ---

    async def _first(self, dialer: Dialer) -> Client:
        round_ = 0
        while (client := await dialer.round()) is None:
            if all(cause.lasting for cause in dialer.causes.values()):
                raise dialer.failure()
            await asyncio.sleep(reconnect_delay(round_))
            round_ += 1
        return client

    def _adopt(self, client: Client) -> None:
        self._client = client
        self._rise(client)

    def _rise(self, client: Client) -> None:
        try:
            require_encryption(client)
        except credentials.PlainConnection as error:
            self._trouble(f"cannot reconnect: {explain(error).text}")
            client_internals.release(client)
            return
        self.epoch += 1
        self._torn_down = False
        self.problem = None
        self._up.set()
        client_internals.when_read_loop_ends(client, self._watchdog.look_now)
        self._log.info("Connected to NATS %s, epoch %d", server_version(client), self.epoch)
        self.changes.tell(True)

    def _fall(self, why: str) -> None:
        if self._up.is_set():
            self._up.clear()
            self._trouble(why)
            self.changes.tell(False)

    def _trouble(self, why: str) -> None:
        if why != self.problem:
            self.problem = why
            self._log.warning("NATS connection: %s", why)

    def _warn_about_plain_password(self, options: ConnectOptions) -> None:
        exposed = [
            server_address.redact(address)
            for address in options.servers
            if not (
                server_address.is_loopback(address) or server_address.is_encrypted_scheme(address)
            )
        ]
        if exposed and not options.tls_files and credentials.sends_password(options):
            self._log.warning(
                "A password or token is sent to %s without TLS. Use tls:// or give a CA file.",
                ", ".join(exposed),
            )
