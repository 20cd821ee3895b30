"""Pulls one consumer's messages: ADR-37, by hand.

Not on ``PullSubscription.fetch``: cancelling that loses messages until ``ack_wait``, it swallows
every 409, and it takes a user's ``Status`` header for its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from nats.errors import Error as NatsError

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.wire import read_headers
from glam_worker.jetstream.ack_permission import AckPermission
from glam_worker.jetstream.consumers import ConsumerRef, look_up
from glam_worker.jetstream.delivery import JetStreamDelivery
from glam_worker.jetstream.inbox import Inbox
from glam_worker.jetstream.outbox import Outbox
from glam_worker.jetstream.pull_state import PullState
from glam_worker.jetstream.requests import EXPIRES, HEARTBEAT, OpenRequests
from glam_worker.jetstream.status import Reaction, reaction_to
from glam_worker.runtime.credits import Credits

SILENCE = 2.2 * HEARTBEAT
"""Seconds without any sign after which a request is given up."""
_BYTES_ABOVE_PAYLOAD = 7 << 20
"""What a request may bring beside one message: so that large ones do not come one by one."""
_ACK = "$JS.ACK."


class PullSource:
    """Asks for as many messages as there are credits, and hands on what arrives.

    Nothing is told to the server before the consumer is known to be the one it was. Every status
    has its reaction; silence has one too.
    """

    def __init__(
        self,
        client: JetStreamClient,
        outbox: Outbox,
        consumer: ConsumerRef,
        credit: Credits,
        offer: Callable[[JetStreamDelivery], None],
        drop: Callable[[], None],
    ) -> None:
        self.way = consumer.way
        self.consumer = consumer
        self.stream = consumer.stream
        self.created = consumer.stream_created
        self.ack_wait = consumer.ack_wait
        self.live = self.keeps = False
        self.state = PullState.CONNECTING
        self.reason: str | None = None
        """Why it does not pull; None while it does."""
        self._client = client
        self.outbox = outbox
        self._credits = credit
        self._credit = credit.of(consumer.way)
        self._offer = offer
        self._drop = drop
        self._subject = ""
        self._inbox = Inbox(client, self._arrived)
        self._heard = 0.0
        self._stale_from = 0.0
        """What is read after this moment may be somebody else's; each tick puts it off."""
        self._requests = OpenRequests(client.max_payload + _BYTES_ABOVE_PAYLOAD)
        self._scheduled = self._quiet = self._gone = False
        self._silent: str | None = None
        """Why nothing was heard; not ready until something is, whatever the API answers."""
        self._became_live = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._resuming: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._permission = AckPermission(client, consumer, self._acks_are_denied)

    # --- life ---

    def start(self, before_pull: Callable[[], Awaitable[None]]) -> None:
        """Pull from now on; ``before_pull`` is awaited on this and every later connection."""
        prefix = "$JS.API" if self._client.domain is None else f"$JS.{self._client.domain}.API"
        self._subject = f"{prefix}.CONSUMER.MSG.NEXT.{self.stream}.{self.consumer.durable}"
        self._stale_from = time.monotonic() + self.ack_wait / 2
        self._before_pull = before_pull
        self._unwatch = self._client.watch(self._connection_changed)
        if self._client.is_connected():
            self._connection_changed(up=True)

    async def quiet(
        self, state: PullState = PullState.QUIET, why: str = "the worker stops"
    ) -> None:
        """Ask for no more: unsubscribe, and take what arrives until the server's pong."""
        self._quiet = True
        self.state, self.reason = state, why
        await self._inbox.drain()
        self._credits.returned(self.way)

    def release(self) -> None:
        """Pull again after ``quiet``."""
        self._quiet = False
        self._inbox.renew()
        self._stale_from = time.monotonic() + self.ack_wait / 2
        self._resume("it was held back")

    async def retire(self) -> None:
        """Another source takes its place: what is in hand can never be settled."""
        await self.quiet(PullState.GONE)
        self.live, self._gone = False, True
        self._drop()
        self.outbox.forget_acks(self.stream, self.consumer.durable)
        self._became_live.set()
        self.close()

    def close(self) -> None:
        """Forget the connection."""
        self._unwatch()
        self._permission.close()
        if self._resuming is not None:
            self._resuming.cancel()

    @property
    def dead(self) -> bool:
        """Whether nobody pulls or tries to, although the connection is up."""
        trying = self._resuming is not None and not self._resuming.done()
        idle = not self.live and not trying and not self._quiet
        return idle and self._client.is_connected()

    # --- settlements (see delivery.Tells) ---

    async def wait_live(self) -> bool:
        """True as soon as settlements can be told; False when the consumer is gone."""
        while not self.live:
            if self._gone:
                return False
            self._became_live.clear()
            await self._became_live.wait()
        return True

    # --- asking ---

    def ask(self) -> None:
        """Ask for more at the end of this turn, if there are credits for it."""
        if not self._scheduled and self.live and not self._quiet:
            self._scheduled = True
            self._loop.call_soon(self._request)

    def _request(self) -> None:
        self._scheduled = False
        if not self.live or self._quiet:
            return
        if not self._credit.requested:
            self._heard = time.monotonic()
        batch = self._credits.take(self.way)
        if batch:
            self.outbox.request(self._subject, *self._requests.new(self._inbox.name, batch))

    # --- taking ---

    def _arrived(self, subject: str, reply: str, body: bytes, block: bytes) -> None:
        self._heard = now = time.monotonic()
        if now > self._stale_from:
            self._stood_still()
            return
        if self._silent is not None:
            self._silent = None
            self._set(PullState.PULLING, None)
        if reply.startswith(_ACK):
            delivery = JetStreamDelivery(self, subject, reply, body, block, now)
            # It may have come when the loop last turned, and have waited in the socket since.
            delivery.renewed = self._stale_from - self.ack_wait / 2
            self._credit.backlog = delivery.backlog
            self._offer(delivery)
            if not self._scheduled:
                self.ask()
        else:
            self._status(subject, read_headers(block))

    def _status(self, inbox: str, headers: dict[str, str]) -> None:
        status, description = headers.get("Status", ""), headers.get("Description", "")
        match reaction_to(status, description):
            case Reaction.HEARTBEAT:
                return
            case Reaction.ASK_AGAIN:
                unsent = self._requests.ended(inbox, headers)
                self._credits.returned(self.way, unsent)
                if status == "408":
                    self._credit.backlog = False
                self.ask()
            case Reaction.START_OVER:
                self._resume(f"{status} {description}".strip())
            case Reaction.VERIFY:
                self._resume(f"{status} {description}".strip() or "503")
            case Reaction.REFUSED:
                self._refused(f"{status} {description}".strip())

    def _refused(self, status: str) -> None:
        self._set(PullState.REFUSED, f"consumer {self.consumer.durable} answers {status}")
        self._resume(status, delay=EXPIRES)

    def tick(self, now: float) -> None:
        """Notice silence, no heartbeat of an open request, and that the loop stood still."""
        if now > self._stale_from:
            self._stood_still()
        if not self._quiet:
            self._stale_from = now + self.ack_wait / 2
        waiting = self._credit.requested
        if self.live and waiting and now - self._heard > SILENCE:
            reason = f"no heartbeat of consumer {self.consumer.durable} for {SILENCE:.0f} s"
            self._silent = reason
            self._set(PullState.SILENT, reason)
            self._inbox.renew()
            self._resume(reason)
        elif self._requests.forget(now):
            self._credits.returned(self.way)
            self.ask()

    def _stood_still(self) -> None:
        """Drop what is to be read: it was sent long ago, and others may have worked it since."""
        if self._quiet:
            self._stale_from = 0.0
            return
        self._stale_from = time.monotonic() + self.ack_wait / 2
        self._inbox.cut()
        if self.live:
            self._resume("the event loop stood still", keeps=True)

    def _acks_are_denied(self, why: str) -> None:
        """Take nothing that would be handled again and again; acks are kept for later."""
        if not self._quiet:
            self._set(PullState.REFUSED, why)
            self._drop()
            self._inbox.cut()
            self._resume(why)

    # --- connection ---

    def _connection_changed(self, up: bool) -> None:
        if up:
            self._resume("a new connection")
        else:
            self._pause("not connected")
            self._drop()
            self._set(PullState.CONNECTING, self._client.problem or "not connected")

    def _pause(self, why: str, *, keeps: bool = False) -> None:
        """Nothing is told or asked until the consumer was looked at again."""
        self.live, self.keeps = False, keeps
        self._requests.clear()
        self._credits.returned(self.way)
        if self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None
        if self.state is PullState.PULLING:
            self._set(PullState.VERIFYING, why)

    def _resume(self, why: str, delay: float = 0.0, *, keeps: bool = False) -> None:
        self._pause(why, keeps=keeps)
        self._resuming = asyncio.create_task(self._resumed(delay))

    async def _resumed(self, delay: float) -> None:
        pause = 0.25
        await asyncio.sleep(delay)
        while self._client.is_connected():
            self._permission.probe()
            verdict = await look_up(self._client, self.consumer)
            if verdict.ok and self._permission.granted() and await self._go_live(verdict.last):
                return
            self._gone = verdict.gone
            if verdict.gone:
                self._set(PullState.GONE, verdict.reason)
                self._drop()
                self._became_live.set()
                pause = max(pause, 5.0)
            elif not verdict.ok:
                self._set(PullState.SILENT, verdict.reason)
            elif self._permission.problem:
                self._set(PullState.REFUSED, self._permission.problem)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
            pause = min(pause * 2, 30.0 if verdict.gone else 5.0)

    async def _go_live(self, last: int) -> bool:
        try:
            if not self._quiet:
                await self._before_pull()
                await self._inbox.open()
            await self.outbox.repeat_acks(self.stream, self.consumer.durable, last)
        except NatsError as error:
            self._set(PullState.SILENT, f"cannot subscribe to {self._inbox.name}: {error}")
            return False
        if not (self._quiet or self._inbox.is_open):
            return False  # the loop stood still meanwhile
        self._heard = time.monotonic()
        self.live = self.keeps = True
        state = PullState.PULLING if self._silent is None else PullState.SILENT
        self._set(state, self._silent)
        self._became_live.set()
        self.ask()
        return True

    def _set(self, state: PullState, reason: str | None) -> None:
        if not self._quiet:
            self.state, self.reason = state, reason
