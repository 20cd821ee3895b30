"""How connections die, and that they come back: against a real server."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ConnectionLost, PublishFailed
from glam_shared.messaging.connect_options import Timings
from glam_worker.dev.server import EmbeddedServer
from tests.messaging.fake_server import FakeServer
from tests.messaging.waiting import Connect, until, until_epoch


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_server_restart(server: EmbeddedServer, client: JetStreamClient, end: str) -> None:
    """
    After a restart or a crash of the server a new epoch stands soon, and what was published
    meanwhile is stored once.
    """
    getattr(server, end)()
    await until(lambda: not client.is_connected())
    publishing = asyncio.create_task(client.publish_acked("evt.a", b"1", {}, msg_id="one"))
    assert client.problem

    server.start()
    back = time.monotonic()
    await until_epoch(client, 2)

    ack = await publishing
    assert time.monotonic() - back < 15.0
    assert 1 == ack.seq
    assert (1, None) == (client.reconnects, client.problem)
    assert 1 == (await client.get_stream_info("EVENTS")).messages


async def test_watchers_see_both_sides(
    server: EmbeddedServer, client: JetStreamClient, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Watchers are told False when it is gone and True when the epoch has risen; one that raises
    harms neither the others nor the connection, and one that was taken off hears no more.
    """
    told: list[tuple[bool, int]] = []

    def fail(_up: bool) -> None:
        raise RuntimeError("a watcher's own fault")

    client.watch(fail)
    take_off = client.watch(lambda up: told.append((up, client.epoch)))
    await client.client.force_reconnect()
    await until_epoch(client, 2)
    take_off()
    await client.client.force_reconnect()
    await until_epoch(client, 3)

    assert [(False, 1), (True, 2)] == told
    assert "a watcher's own fault" in caplog.text


async def test_waiting_for_the_connection(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    `wait_connected` is bounded while the server is away, and ends when it is back.
    """
    server.kill()
    await until(lambda: not client.is_connected())
    assert not await client.wait_connected(0.05)
    waiting = asyncio.create_task(client.wait_connected(None))

    server.start()

    assert await asyncio.wait_for(waiting, 10)


async def test_late_pong(server: EmbeddedServer, connect: Connect) -> None:
    """
    The pong of a flush that timed out does not end the read loop.
    """
    client = await connect(server.url, timings=Timings())
    os.kill(server.pid, signal.SIGSTOP)
    try:
        await until(lambda: _stands_still(server.pid))
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.client.flush(), 0.01)
    finally:
        os.kill(server.pid, signal.SIGCONT)

    assert await client.api("STREAM.NAMES")
    assert 1 == client.epoch


async def test_subject_that_is_not_utf8(client: JetStreamClient) -> None:
    """
    A stored message whose subject is not UTF-8 is delivered, with U+FFFD in it, and ends nothing.
    """
    _say(client, b"PUB evt.\xff\xfe 5\r\nhello\r\n")
    consumer = {"durable_name": "d", "ack_policy": "explicit", "deliver_subject": "to.us"}
    taken: list[Msg] = []
    subscription = await client.client.subscribe("to.us", cb=_keeper(taken))

    await client.api(
        "CONSUMER.DURABLE.CREATE.EVENTS.d", {"stream_name": "EVENTS", "config": consumer}
    )
    await until(lambda: taken)

    assert "evt.\ufffd\ufffd" == taken[0].subject
    assert b"hello" == taken[0].data
    assert 1 == client.epoch
    await subscription.unsubscribe()


@pytest.mark.parametrize("task", ["_reading_task", "_flusher_task", "_ping_interval_task"])
async def test_dead_loop(client: JetStreamClient, task: str) -> None:
    """
    A connection that still says it is connected, while nobody reads, writes or pings any more,
    is renewed; subscriptions made on it live again.
    """
    taken: list[Msg] = []
    await client.client.subscribe("old", cb=_keeper(taken))

    getattr(client.client, task).cancel()
    await until_epoch(client, 2, within=10.0)
    await client.client.publish("old", b"again")

    await until(lambda: taken)


async def test_callback_that_raises(client: JetStreamClient) -> None:
    """
    An exception of ours while an error is handled does not end the read loop.
    """

    def fail(_denied: object) -> None:
        raise RuntimeError("no")

    client._connection.denials.add(fail)
    nats_client: Client = client.client
    await nats_client._error_cb(Exception('permissions violation for publish to "x"'))

    assert await client.api("STREAM.NAMES")
    assert 1 == client.epoch


@pytest.mark.parametrize(
    "error", ["User Authentication Expired", "User Authentication Revoked", "Slow Consumer"]
)
async def test_error_that_closes_for_good(connect: Connect, error: str) -> None:
    """
    nats-py never comes back after such an error of the server; a new client does, in a new epoch.
    """
    async with FakeServer() as fake:
        client = await connect(fake.url)
        first = client.client
        changes: list[bool] = []
        client.watch(changes.append)

        fake.say(f"-ERR '{error}'".encode())
        await until_epoch(client, 2)

        assert client.client is not first
        assert first.is_closed
        assert [False, True] == changes
        assert 2 == len(fake.connects)


async def test_too_many_subscriptions(
    start_server: Callable[..., EmbeddedServer],
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    A user who may have no more subscriptions loses the connection, and the server's words are said.
    """
    client = await connect(start_server(max_subscriptions=2).url)
    for number in range(3):
        await client.client.subscribe(f"s.{number}")

    await until_epoch(client, 2)
    assert "closed: the server answered 'maximum subscriptions exceeded'" in caplog.text


async def test_refused_after_it_was_closed(connect: Connect) -> None:
    """
    While the server refuses us, the problem says so; when it no longer does, it is used.
    """
    async with FakeServer() as fake:
        client = await connect(fake.url)
        fake.refusal = "Authorization Violation"
        fake.say(b"-ERR 'User Authentication Expired'")
        await until(lambda: "wrong or missing user" in str(client.problem))

        fake.refusal = ""
        await until_epoch(client, 2)
        assert client.problem is None


@pytest.mark.parametrize("unsent", [0, 4 << 20])
async def test_server_that_hangs(
    server: EmbeddedServer, client: JetStreamClient, unsent: int
) -> None:
    """
    A server that neither answers nor closes is noticed by its missing pongs, also when it leaves
    bytes of ours unread; when it goes on, so do we.
    """
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for _ in range(unsent >> 16):
            await client.client.publish("flood", bytes(1 << 15))
        await until(lambda: not client.is_connected())
        assert client.problem
    finally:
        os.kill(server.pid, signal.SIGCONT)

    await until_epoch(client, 2)


async def test_hanging_server_is_left_for_another(
    server: EmbeddedServer, start_server: Callable[..., EmbeddedServer], connect: Connect
) -> None:
    """
    When one server hangs, another of the list is used.
    """
    other = start_server()
    client = await connect(server.url)
    await client.close()
    client = await connect([server.url, other.url])
    pid = server.pid if str(server.port) in str(client.client.connected_url) else other.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await until_epoch(client, 2)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_production_notices_within_15_seconds() -> None:
    """
    With the default timings, a silent server is dropped after 15 s at most.
    """
    timings = Timings()

    assert timings.ping_interval * (timings.outstanding_pings + 1) <= 15.0
    assert timings.watch_period + timings.hung_teardown < 5.0


@pytest.mark.parametrize("unsent", [0, 4 << 20])
async def test_close_is_bounded(
    server: EmbeddedServer, client: JetStreamClient, unsent: int
) -> None:
    """
    `close` of a connection to a server that hangs ends in time, and leaves no task behind.
    """
    before = asyncio.all_tasks()
    os.kill(server.pid, signal.SIGSTOP)
    try:
        flood = asyncio.create_task(_flood(client, unsent))
        await asyncio.wait([flood], timeout=0.2)
        began = time.monotonic()
        await client.close()
        assert time.monotonic() - began < 15.0  # without a bound it would wait for ever
        flood.cancel()
        await asyncio.wait([flood])
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: not asyncio.all_tasks() - before)


async def test_close_while_away(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    `close` while nothing can be reached is quick, and ends the attempts.
    """
    server.kill()
    await until(lambda: not client.is_connected())
    began = time.monotonic()

    await client.close()

    assert time.monotonic() - began < 15.0
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "nats-watchdog" not in names


async def test_close_ends_what_waits(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    Who waits for a connection, or to publish, learns at once that it was closed.
    """
    server.kill()
    await until(lambda: not client.is_connected())
    waiting = asyncio.create_task(client.wait_connected(None))
    publishing = asyncio.create_task(client.publish_acked("evt.a", b"1", {}, msg_id="1"))
    await asyncio.sleep(0)

    await client.close()

    assert not await asyncio.wait_for(waiting, 5)
    with pytest.raises(PublishFailed, match="was not sent"):
        await asyncio.wait_for(publishing, 5)


async def test_waiting_before_nats_py_says_so(client: JetStreamClient) -> None:
    """
    Waiting in the moment in which the connection broke, before nats-py tells of it, waits for the
    next one.
    """
    await client.client.force_reconnect()
    assert not client.is_connected()

    assert await client.wait_connected(10.0)
    assert 2 == client.epoch


async def test_requests_end_when_the_connection_does(
    server: EmbeddedServer, client: JetStreamClient
) -> None:
    """
    A request that waits for its answer learns of the lost connection, not of its timeout.
    """
    os.kill(server.pid, signal.SIGSTOP)
    asking = asyncio.create_task(client.api("STREAM.NAMES", timeout=60.0))
    await asyncio.sleep(0)
    server.kill()

    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(asking, 10)


async def test_what_was_buffered_is_not_sent_later(
    server: EmbeddedServer, client: JetStreamClient
) -> None:
    """
    What nats-py buffered while the connection was gone does not leave with the next one: an ack
    among it could complete another message.
    """
    server.kill()
    await until(lambda: not client.is_connected())
    await client.client.publish("evt.stale", b"stale")

    server.start()
    await until_epoch(client, 2)
    await client.publish_acked("evt.fresh", b"fresh", {}, msg_id="fresh")

    assert 1 == (await client.get_stream_info("EVENTS")).messages


async def test_problem_is_said_once(
    server: EmbeddedServer, client: JetStreamClient, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Attempts that fail for the same cause write one line, not one each.
    """
    with caplog.at_level(logging.WARNING, "glam_shared.messaging"):
        server.kill()
        await until(lambda: "connection refused" in str(client.problem))
        attempts = client.client.server_pool[0].reconnects
        await until(lambda: client.client.server_pool[0].reconnects > attempts + 3)

    assert 1 == caplog.text.count("connection refused")


def _keeper(taken: list[Msg]) -> Callable[[Msg], Awaitable[None]]:
    async def keep(msg: Msg) -> None:
        taken.append(msg)

    return keep


async def _flood(client: JetStreamClient, size: int) -> None:
    for _ in range(size >> 16):
        await client.client.publish("flood", bytes(1 << 16))


def _say(client: JetStreamClient, commands: bytes) -> None:
    """Speak to the server as a client does that checks nothing."""
    url = client.client.connected_url
    assert url is not None
    address = urlsplit(url.geturl())
    with socket.create_connection((address.hostname, address.port), 5) as connection:
        connection.sendall(b'CONNECT {"verbose":false}\r\n' + commands + b"PING\r\n")
        said = b""
        while b"PONG" not in said:
            said += connection.recv(4096)


def _stands_still(process: int) -> bool:
    """Whether all threads are stopped: the signal takes a moment to reach each."""
    states = [
        file.read_text().rpartition(")")[2] for file in Path(f"/proc/{process}/task").glob("*/stat")
    ]
    return all(state.split()[0] == "T" for state in states)
