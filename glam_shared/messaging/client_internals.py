"""The private attributes of nats-py that this package touches, all of them, in one place.

Written against nats-py 2.16.0; `tests/messaging/test_client_internals.py` fails when a new
version renames one. Each function says which defect makes it necessary.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import urlparse

from nats.aio.client import Client, Srv
from nats.aio.subscription import Subscription

from glam_shared.messaging.wire_reader import Take

_log = logging.getLogger(__name__)


def read_loop_ended(client: Client) -> bool:
    """Whether nobody reads the socket any more.

    A late PONG after a flush that timed out, a callback that raises or a subject that is not
    UTF-8 end the read loop while `is_connected` stays True.
    """
    return _ended(client._reading_task)


def loops_ended(client: Client) -> bool:
    """Whether nobody reads the socket, writes it, or notices a silent server any more."""
    tasks = (client._reading_task, client._flusher_task, client._ping_interval_task)
    return any(map(_ended, tasks))


def reconnect_idle(client: Client) -> bool:
    """Whether nobody tries to reconnect: an unexpected exception ends the task."""
    return client._reconnection_task is None or client._reconnection_task.done()


def when_read_loop_ends(client: Client, callback: Callable[[], None]) -> None:
    """Call *callback* as soon as the present read loop ends."""
    task = client._reading_task
    if task is not None:
        task.add_done_callback(lambda _task: callback())


def abort_transport(client: Client) -> None:
    """Drop the socket without waiting for unsent bytes.

    `wait_closed` of a peer that takes nothing hangs until the kernel gives up.
    """
    transport = cast("Any", client._transport)
    for name in ("_io_writer", "_bare_io_writer"):
        writer = getattr(transport, name, None)
        if writer is not None:
            writer.transport.abort()


def drop_unsent(client: Client) -> None:
    """Forget what is buffered."""
    client._pending = []
    client._pending_data_size = 0


def is_encrypted(client: Client) -> bool:
    """Whether the present connection is TLS."""
    writer = getattr(client._transport, "_io_writer", None)
    return writer is not None and writer.get_extra_info("ssl_object") is not None


def offer_public_nkey(client: Client, public_key: str) -> None:
    """Name the key that signs; the client reads it once only, at its first connect."""
    client._public_nkey = public_key


def server_info(client: Client) -> dict[str, Any]:
    """What the server announced when it greeted us."""
    return client._server_info


def unread_error(client: Client) -> str | None:
    """What the server said behind its greeting, before it closed, and nats-py did not read."""
    buffered = getattr(getattr(client._transport, "_io_reader", None), "_buffer", b"")
    line, ended, _ = bytes(buffered).partition(b"\r\n")
    if not ended or not line.startswith(b"-ERR "):
        return None
    return line[5:].decode("utf-8", "replace")


def add_servers(client: Client, addresses: Iterable[str]) -> None:
    """Offer further servers to the reconnect, beside those the cluster announced.

    `set_server_pool` would forget which name to verify for an announced TLS server.
    """
    known = {server.uri.netloc for server in client._server_pool}
    for address in addresses:
        uri = urlparse(address)
        if uri.netloc not in known:
            client._server_pool.append(Srv(uri))


def release(client: Client) -> None:
    """Cancel every task of a client that is given up and drop its socket."""
    client._status = Client.CLOSED
    drop_unsent(client)
    tasks = [
        client._reconnection_task,
        client._reading_task,
        client._ping_interval_task,
        client._flusher_task,
        *(subscription._wait_for_msgs_task for subscription in client._subs.values()),
    ]
    current = asyncio.current_task()
    for task in tasks:
        if task is not None and task is not current:
            task.cancel()
    client._subs.clear()
    with contextlib.suppress(Exception):
        abort_transport(client)


def _ended(task: asyncio.Task[Any] | None) -> bool:
    return task is not None and task.done()


def write(client: Client, commands: bytes) -> None:
    """Queue protocol commands for the next write: many publishes at the price of one.

    `Client.publish` costs a coroutine and several checks for each message, which an ack does not
    need; the caller answers for the commands being well formed and the connection being up.
    """
    client._pending.append(commands)
    client._pending_data_size += len(commands)
    queue = client._flush_queue
    if queue is not None and queue.empty():
        queue.put_nowait(asyncio.get_running_loop().create_future())


def write_at_once(client: Client, commands: bytes) -> None:
    """Write protocol commands behind what is queued, without waiting for the flusher's turn.

    While a handler blocks the event loop again and again, that turn is late by as many blocks as
    there are tasks on the way. Otherwise as `write`, which a websocket, and a connection that is
    going down, fall back to.
    """
    write(client, commands)
    writer = getattr(client._transport, "_io_writer", None)
    if writer is not None and not writer.transport.is_closing():
        writer.writelines(client._pending)
        drop_unsent(client)


async def written(client: Client, timeout: float) -> bool:
    """Whether the kernel took all that was queued before, within *timeout* seconds."""
    if client._flush_queue is None:
        return False
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    client._flush_queue.put_nowait(done)
    finished, _ = await asyncio.wait([done], timeout=timeout)
    return bool(finished)


async def round_trip(client: Client, timeout: float) -> bool:
    """Whether the server has seen all that was sent before, and we all that it sent, in time.

    `Client.flush` is no such fence: it writes its PING ahead of the commands that still wait for
    the flusher. And when it times out, the late pong ends the read loop.
    """
    if not client.is_connected or client._transport is None:
        return False
    answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    client._transport.writelines(client._pending)
    drop_unsent(client)
    client._transport.write(b"PING\r\n")
    client._pongs.append(answered)
    done, _ = await asyncio.wait([answered], timeout=timeout)
    return bool(done)


async def drain(subscription: Subscription, timeout: float) -> bool:
    """End *subscription* once all is taken that the server sent before it heard of it.

    Says whether the server answered in time. `Subscription.drain` loses what is sent between
    its PING and its UNSUB, which it writes in this order.
    """
    client: Client = subscription._conn
    write(client, b"UNSUB %d\r\n" % subscription._id)
    try:
        return await round_trip(client, timeout)
    finally:
        _forget(subscription)


def cut(subscription: Subscription) -> None:
    """End *subscription* now: what was sent to it and is not read yet is dropped."""
    client: Client = subscription._conn
    if client.is_connected:
        write(client, b"UNSUB %d\r\n" % subscription._id)
    _forget(subscription)


def _forget(subscription: Subscription) -> None:
    subscription._closed = True
    subscription._stop_processing()
    subscription._conn._remove_sub(subscription._id)


def read_directly(client: Client, take: Callable[[bytes], bytes]) -> None:
    """Give what the present connection brings to *take* as it comes, and nats-py what that leaves.

    On nats-py's way each piece costs a buffer and a wait for the read loop's turn. That is the way
    of all that comes while the read loop has not yet taken what came before. Of a websocket, which
    has no stream, everything goes that way.
    """
    stream = getattr(client._transport, "_io_reader", None)
    if stream is None:
        return
    feed = stream.feed_data

    def fed(data: bytes) -> None:
        waiter = stream._waiter  # of the read loop; None or done while it is at work
        if waiter is not None and not waiter.done() and not stream._buffer:
            data = take(data)
        if data:
            feed(data)

    stream.feed_data = fed


def deliver_directly(subscription: Subscription, take: Take) -> None:
    """Hand each message to *take* in the read loop itself, as it is parsed.

    nats-py's way costs a queue, a task and a coroutine for each message. Subscribe without `cb`
    and call this before anything can come: what nats-py took in before is not handed over. The
    order is kept; `drain` hands over what arrives until the server's pong; what *take* raises is
    logged, because it would end the read loop. Nothing is pending here, so no limit of nats-py's
    applies: *take* must bound what it keeps.
    """
    cast("Any", subscription._conn).reader.takers[str(subscription._id)] = take
    if subscription._wait_for_msgs_task is not None:
        subscription._wait_for_msgs_task.cancel()
