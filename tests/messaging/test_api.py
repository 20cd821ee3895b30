"""Requests to JetStream, streams and the server's time."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.aio.msg import Msg

from glam_shared.errors import ConfigurationError, InfrastructureError
from glam_shared.messaging import JetStreamClient, reply_mux
from glam_shared.messaging.broker_errors import (
    ApiError,
    BrokerError,
    ConnectionLost,
    NoAnswer,
    NobodyListens,
    NotFound,
    NotSendable,
    PermissionDenied,
)
from glam_shared.messaging.server_clock import ServerClock
from glam_worker.dev.server import EmbeddedServer
from tests.messaging.waiting import WITHIN, Connect, until

StartServer = Callable[..., EmbeddedServer]


async def test_answer(client: JetStreamClient) -> None:
    """
    The answer comes as JSON, with every field the server wrote.
    """
    answer = await client.api("STREAM.INFO.EVENTS", {"subjects_filter": ">"})

    assert "EVENTS" == answer["config"]["name"]
    assert "io.nats.jetstream.api.v1.stream_info_response" == answer["type"]


async def test_error(client: JetStreamClient) -> None:
    """
    An error of JetStream has its numbers and text; code 404 is NotFound.
    """
    with pytest.raises(NotFound, match="stream not found") as missing:
        await client.api("STREAM.INFO.NONE")
    with pytest.raises(ApiError) as wrong:
        await client.api("STREAM.CREATE.S", {"name": "S", "subjects": ["evt.>"]})

    assert (404, 10059) == (missing.value.api_code, missing.value.err_code)
    assert 10065 == wrong.value.err_code
    assert "STREAM.CREATE.S" == wrong.value.operation
    assert not isinstance(wrong.value, NotFound)


async def test_no_jetstream(start_server: StartServer, connect: Connect) -> None:
    """
    Without JetStream for the account, the error says so at once.
    """
    accounts = {"PLAIN": {"users": [{"user": "p", "password": "p"}]}}
    client = await connect(start_server(accounts=accounts).url, user="p", password="p")

    with pytest.raises(ApiError, match="JetStream not enabled for account"):
        await client.api("STREAM.NAMES")


async def test_no_answer(client: JetStreamClient) -> None:
    """
    Without an answer in time, the error names the operation and the time.
    """
    taken: list[Msg] = []

    async def keep_silent(msg: Msg) -> None:
        taken.append(msg)

    await client.client.subscribe("$JS.API.SILENCE", cb=keep_silent)
    with pytest.raises(NoAnswer, match=r"SILENCE within 0\.1 s"):
        await client.api("SILENCE", timeout=0.1)
    await until(lambda: taken)


async def test_away(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    While the server is away, the error says so after the timeout.
    """
    server.kill()
    await until(lambda: not client.is_connected())

    with pytest.raises(ConnectionLost, match=r"STREAM\.NAMES: NATS is away: "):
        await client.api("STREAM.NAMES", timeout=0.05)


async def test_denied(start_server: StartServer, connect: Connect) -> None:
    """
    A subject the user may not publish to is named at once, not after a timeout; who watches
    denials is told, too.
    """
    permissions = {"publish": {"deny": ["$JS.API.STREAM.DELETE.>"]}}
    user = {"user": "anna", "password": "right", "permissions": permissions}
    client = await connect(
        start_server(authorization={"users": [user]}).url, user="anna", password="right"
    )
    seen: list[PermissionDenied] = []
    client.watch_denials(seen.append)
    began = time.monotonic()

    with pytest.raises(PermissionDenied, match=r"publish to \$JS\.API\.STREAM\.DELETE\.EVENTS"):
        await client.api("STREAM.DELETE.EVENTS", timeout=30.0)

    assert time.monotonic() - began < 20.0
    assert 1 == len(seen)
    assert await client.api("STREAM.NAMES")


async def test_denied_in_a_domain(start_server: StartServer, connect: Connect) -> None:
    """
    The domain's server names the subject that it mapped the request to: the one to allow. What
    else waits goes on waiting.
    """
    permissions = {"publish": {"deny": ["$JS.API.STREAM.DELETE.>"]}}
    user = {"user": "anna", "password": "right", "permissions": permissions}
    server = start_server(authorization={"users": [user]}, jetstream={"domain": "hub"})
    client = await connect(server.url, user="anna", password="right", domain="hub")
    began = time.monotonic()

    answers: list[Any] = await asyncio.gather(
        client.api("STREAM.NAMES"),
        client.api("STREAM.DELETE.EVENTS", timeout=30.0),
        return_exceptions=True,
    )

    assert time.monotonic() - began < 20.0
    names, denied = answers
    assert isinstance(names, dict)
    assert isinstance(denied, PermissionDenied)
    assert "publish to $JS.API.STREAM.DELETE.EVENTS" == denied.operation


async def test_denied_inbox(start_server: StartServer, connect: Connect) -> None:
    """
    A user that may not subscribe to its inbox is told so at once, at the first request and later.
    """
    permissions = {"subscribe": ["_INBOX_other.>"]}
    user = {"user": "anna", "password": "right", "permissions": permissions}
    client = await connect(
        start_server(authorization={"users": [user]}).url, user="anna", password="right"
    )

    for _ in range(2):
        with pytest.raises(PermissionDenied, match=r"subscribe to _INBOX\."):
            await client.api("STREAM.NAMES", timeout=10.0)


async def test_an_inbox_that_is_allowed_again(
    start_server: StartServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The server takes a subscription away without closing the connection; a while after it is
    allowed again, on the same connection, requests are answered.
    """
    monkeypatch.setattr(reply_mux, "_INBOX_AGAIN", 0.2)
    everything: dict[str, Any] = {"publish": [">"]}
    user = {"user": "anna", "password": "right", "permissions": everything}
    server = start_server(authorization={"users": [user]})
    client = await connect(server.url, user="anna", password="right")
    assert await client.api("STREAM.NAMES")

    denied: list[PermissionDenied] = []
    client.watch_denials(denied.append)
    reload(server, {"subscribe": {"deny": ["_INBOX.>"]}, **everything})
    while len(denied) < 2:  # it is tried again, and denied again
        assert not await answered(client, denied)
    reload(server, everything)
    async with asyncio.timeout(WITHIN):
        while not await answered(client, denied):
            await asyncio.sleep(0.01)

    assert "subscribe to _INBOX." in denied[0].operation
    assert 1 == client.epoch


async def answered(client: JetStreamClient, denied: list[PermissionDenied]) -> bool:
    """Whether a request is answered, once something was denied."""
    async with asyncio.timeout(WITHIN):
        while not denied:
            await asyncio.sleep(0.01)
    try:
        await client.api("STREAM.NAMES", timeout=5.0)
    except PermissionDenied:
        await asyncio.sleep(0.01)
        return False
    return True


def reload(server: EmbeddedServer, permissions: dict[str, Any]) -> None:
    """Have the running server change what its user may do."""
    file = server.store / "nats-server.conf"
    config = json.loads(file.read_text())
    config["authorization"]["users"][0]["permissions"] = permissions
    file.write_text(json.dumps(config))
    os.kill(server.pid, signal.SIGHUP)


async def test_subject_that_cannot_be_sent(client: JetStreamClient) -> None:
    """
    A name with a space is refused before it is sent; it could hold protocol lines.
    """
    with pytest.raises(NotSendable) as refused:
        await client.api("STREAM.INFO.A B\r\nPING")

    assert not refused.value.retryable


async def test_domain(start_server: StartServer, connect: Connect) -> None:
    """
    With a domain, its own API is asked, by `js` as well.
    """
    url = start_server(jetstream={"domain": "hub"}).url
    client = await connect(url, domain="hub")

    await client.ensure_stream("D", ["d.>"])
    assert "D" == (await client.js.stream_info("D")).config.name
    await client.close()

    client = await connect(url, domain="elsewhere")
    with pytest.raises(NobodyListens, match="no JetStream domain elsewhere"):
        await client.api("STREAM.NAMES")


async def test_js_follows_the_client(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    `js` belongs to the present client of nats-py.
    """
    first = client.js
    assert first is client.js
    await client.close()
    await client.connect(server.url)

    assert first is not client.js
    assert "EVENTS" == (await client.js.stream_info("EVENTS")).config.name


# --- streams ---


async def test_ensure_stream_creates(client: JetStreamClient) -> None:
    """
    The configuration given is the stream's, ages in seconds.
    """
    made = await client.ensure_stream("S", ["s.>"], max_age=3600, max_msgs=7, duplicate_window=9)

    config = (await client.api("STREAM.INFO.S"))["config"]
    assert ("S", ("s.>",), 0, 0) == (made.name, made.subjects, made.messages, made.bytes)
    assert (3600 * 10**9, 7, 9 * 10**9) == (
        config["max_age"],
        config["max_msgs"],
        config["duplicate_window"],
    )


async def test_ensure_stream_changes_nothing(
    client: JetStreamClient, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A stream that exists is used as it is; what differs is said.
    """
    await client.ensure_stream("S", ["s.>"], max_msgs=7)
    before = (await client.api("STREAM.INFO.S"))["config"]

    with caplog.at_level(logging.WARNING, "glam_shared.messaging"):
        await client.ensure_stream("S", ["s.>"], max_msgs=7)
        assert "differs" not in caplog.text
        await client.ensure_stream("S", ["s.>", "t.>"], max_msgs=8)

    assert before == (await client.api("STREAM.INFO.S"))["config"]
    assert "differs in {'subjects': ['s.>'], 'max_msgs': 7}" in caplog.text


async def test_ensure_stream_at_the_same_time(server: EmbeddedServer, connect: Connect) -> None:
    """
    Two services that make the same stream at once both get it.
    """
    one, two = await connect(server.url), await connect(server.url)
    for number in range(20):
        name, subjects = f"S{number}", [f"s.{number}"]
        made = await asyncio.gather(
            one.ensure_stream(name, subjects, max_msgs=5),
            two.ensure_stream(name, subjects, max_msgs=6),
        )
        assert name == made[0].name == made[1].name


async def test_ensure_stream_with_a_wrong_option(client: JetStreamClient) -> None:
    """
    An option no stream has is an error that names it.
    """
    with pytest.raises(ConfigurationError, match="no_such_option"):
        await client.ensure_stream("S", ["s.>"], no_such_option=1)


async def test_stream_info_and_delete(client: JetStreamClient) -> None:
    """
    The information counts messages and bytes; a deleted stream is not found.
    """
    await client.publish_acked("evt.a", b"12345", {}, msg_id="1")
    info = await client.get_stream_info("EVENTS")
    assert ("EVENTS", 1) == (info.name, info.messages)
    assert info.bytes > 5

    await client.delete_stream("EVENTS")
    with pytest.raises(NotFound):
        await client.get_stream_info("EVENTS")
    with pytest.raises(NotFound):
        await client.delete_stream("EVENTS")


# --- time ---


async def test_server_time(client: JetStreamClient) -> None:
    """
    On one machine, the server's time is ours.
    """
    await client.api("STREAM.INFO.EVENTS")

    assert abs(client.clock_offset) < 0.5
    assert abs(client.server_time() - datetime.now(UTC)) < timedelta(seconds=0.5)
    assert UTC == client.server_time().tzinfo


async def test_a_list_tells_the_server_s_time(client: JetStreamClient) -> None:
    """
    By what it lists; where there was no answer yet, whoever needs the time asks for one.
    """
    async with JetStreamClient() as listing, JetStreamClient() as asking:
        await listing.connect_as(client)
        await asking.connect_as(client)
        assert 0.0 == listing.clock_offset == asking.clock_offset

        await listing.api("STREAM.LIST")
        told = await asking.ask_time("STREAM.INFO.EVENTS")

        assert 0.0 != listing.clock_offset
        assert 0.0 != asking.clock_offset
        assert abs(told - listing.server_time()) < timedelta(seconds=0.5)


def test_skewed_clock(caplog: pytest.LogCaptureFixture) -> None:
    """
    Half of the round trip is taken off; a skew over a second is said once.
    """
    clock = ServerClock(logging.getLogger("clock"))
    assert 0.0 == clock.offset
    ahead = (datetime.now(UTC) + timedelta(seconds=60)).isoformat().replace("+00:00", "123Z")

    for _ in range(2):
        clock.hear(ahead, time.monotonic() - 4.0)

    assert 61.5 < clock.offset < 62.5
    assert 1 == caplog.text.count("set one of them right")


@pytest.mark.parametrize("text", [None, 5, "", "soon", "2026-01-01T00:00:00"])
def test_moments_that_cannot_be_read(text: object) -> None:
    """
    An answer without a moment, or with one without zone, changes nothing.
    """
    clock = ServerClock(logging.getLogger("clock"))
    clock.hear(text, time.monotonic())

    assert 0.0 == clock.offset


# --- errors ---


def test_errors_are_of_the_tree_and_pickle() -> None:
    """
    Every error of the broker is an InfrastructureError that survives pickling.
    """
    made = [
        NotFound("STREAM.INFO.X", code=404, err_code=10059, description="stream not found"),
        PermissionDenied("publish to x"),
        NoAnswer("x", 5.0),
    ]
    for error in made:
        again = pickle.loads(pickle.dumps(error))
        assert (type(error), str(error), vars(error)) == (type(again), str(again), vars(again))
        assert isinstance(error, BrokerError)
        assert isinstance(error, InfrastructureError)
        assert "nats" == error.details["service"]
