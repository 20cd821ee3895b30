"""Publishing until the stream has it, and not a moment longer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import (
    BulkFailed,
    MessageTooLarge,
    NobodyListens,
    NotSendable,
    PermissionDenied,
    PublishFailed,
    PublishRefused,
)
from glam_shared.messaging.client import Message, PubAck
from glam_shared.messaging.publish_ack import heals_by_waiting, read_ack
from glam_worker.dev.server import EmbeddedServer
from tests.faults.proxy import Proxy
from tests.messaging.waiting import Connect, until

StartServer = Callable[..., EmbeddedServer]


async def stored(client: JetStreamClient, stream: str = "EVENTS") -> int:
    """How many messages the stream has."""
    return (await client.get_stream_info(stream)).messages


async def test_stored_with_headers_and_id(client: JetStreamClient) -> None:
    """
    The stream has body, headers and id as given; the caller's headers are left alone.
    """
    headers = {"Trace": "é"}
    ack = await client.publish_acked("evt.a", b"\x00\xff", headers, msg_id="one")

    message = await client.js.get_msg("EVENTS", ack.seq)
    assert PubAck("EVENTS", 1, duplicate=False, tries=1) == ack
    assert b"\x00\xff" == message.data
    assert {"Trace": "é"} == headers
    raw = (await client.api("STREAM.MSG.GET.EVENTS", {"seq": 1}))["message"]
    assert raw["hdrs"]


async def test_second_with_the_same_id(client: JetStreamClient) -> None:
    """
    The same id again is a duplicate with the first one's sequence; sent once, it is unexpected.
    """
    first = await client.publish_acked("evt.a", b"1", None, msg_id="one")
    again = await client.publish_acked("evt.a", b"2", None, msg_id="one")

    assert (first.seq, True, True) == (again.seq, again.duplicate, again.unexpected_duplicate)
    assert 1 == await stored(client)


async def test_too_large(client: JetStreamClient) -> None:
    """
    Body and headers over the server's limit are refused before anything is sent; the connection
    lives. At the limit, the message is stored.
    """
    limit = client.max_payload
    with pytest.raises(MessageTooLarge, match="headers included") as refused:
        await client.publish_acked("evt.a", bytes(limit), {"A": "b"}, msg_id="x")
    assert not refused.value.retryable
    assert refused.value.size > limit == refused.value.limit

    room = limit - (refused.value.size - limit)
    await client.publish_acked("evt.a", bytes(room), {"A": "b"}, msg_id="x")
    with pytest.raises(MessageTooLarge):
        await client.publish_acked("evt.a", bytes(room + 1), {"A": "b"}, msg_id="y")
    assert (1, 1) == (client.epoch, await stored(client))


async def test_full_stream(client: JetStreamClient) -> None:
    """
    A stream that is full refuses at once, with the server's number and words.
    """
    await client.ensure_stream("FULL", ["full.>"], max_msgs=1, discard="new")
    await client.publish_acked("full.a", b"1", {}, msg_id="1")
    began = time.monotonic()

    with pytest.raises(PublishRefused, match="maximum messages exceeded") as refused:
        await client.publish_acked("full.a", b"2", {}, msg_id="2")

    assert 10077 == refused.value.err_code
    assert time.monotonic() - began < 20.0  # its budget is 30 s


async def test_message_larger_than_the_stream_allows(client: JetStreamClient) -> None:
    """
    The stream's own limit of a message refuses at once.
    """
    await client.ensure_stream("SMALL", ["small.>"], max_msg_size=100)

    with pytest.raises(PublishRefused, match="size exceeds"):
        await client.publish_acked("small.a", bytes(200), {}, msg_id="1")


async def test_no_stream(client: JetStreamClient) -> None:
    """
    Without a stream it is tried until the budget is spent: an election looks the same.
    """
    began = time.monotonic()
    with pytest.raises(PublishFailed, match="not known to be stored after") as failed:
        await client.publish_acked("nobody.a", b"1", {}, msg_id="lost", budget=0.5)

    assert 0.4 < time.monotonic() - began < 20.0  # without the budget: 30 s
    assert isinstance(failed.value.__cause__, NobodyListens)
    assert ("nobody.a", "lost") == (failed.value.subject, failed.value.msg_id)


async def test_stream_that_comes_in_time(client: JetStreamClient) -> None:
    """
    A stream that appears within the budget gets the message.
    """
    publishing = asyncio.create_task(client.publish_acked("late.a", b"1", {}, msg_id="1"))
    await client.api("STREAM.NAMES")
    await client.ensure_stream("LATE", ["late.>"])

    assert (await publishing).tries > 1
    assert 1 == await stored(client, "LATE")


async def test_denied(start_server: StartServer, connect: Connect) -> None:
    """
    A subject the user may not publish to is refused at once and named.
    """
    user = {"user": "a", "password": "a", "permissions": {"publish": ["$JS.API.>", "evt.>"]}}
    client = await connect(
        start_server(authorization={"users": [user]}).url, user="a", password="a"
    )
    began = time.monotonic()

    with pytest.raises(PermissionDenied, match=r"publish to cmd\.Secret"):
        await client.publish_acked("cmd.Secret", b"1", {}, msg_id="1")
    assert time.monotonic() - began < 20.0  # its budget is 30 s


@pytest.mark.parametrize("subject", ["evt.a b", "evt.a\r\nPING", ""])
async def test_subject_that_cannot_be_sent(client: JetStreamClient, subject: str) -> None:
    """
    A subject that is none is refused at once, and nothing of it is sent.
    """
    with pytest.raises(NotSendable):
        await client.publish_acked(subject, b"1", {}, msg_id="1")
    with pytest.raises(NotSendable):
        await client.publish_acked("evt.a", b"1", {"bad name": "x"}, msg_id="1")
    assert 0 == await stored(client)


async def test_never_connected_again(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    While the server stays away the budget bounds it, and the error says that nothing was sent.
    """
    server.kill()
    await until(lambda: not client.is_connected())

    with pytest.raises(PublishFailed, match=r"was not sent in 0\.2 s: NATS is away"):
        await client.publish_acked("evt.a", b"1", {}, msg_id="1", budget=0.2)


async def test_lost_answers(server: EmbeddedServer, connect: Connect) -> None:
    """
    When the PubAck is lost the message is sent again with its id, and stored once.
    """
    async with Proxy(server.port) as proxy:
        client = await connect(proxy.url)
        await client.ensure_stream("EVENTS", ["evt.>"])
        await client.publish_acked("evt.warm", b"", {}, msg_id="warm")

        proxy.down.loses = lambda data: b'"stream":' in data
        publishing = asyncio.create_task(
            client.publish_acked("evt.a", b"1", {}, msg_id="one", timeout=0.2)
        )
        await until(lambda: proxy.down.lost > 0)
        proxy.down.loses = lambda _data: False

        ack = await publishing
        assert ack.duplicate
        assert ack.tries > 1
        assert not ack.unexpected_duplicate
        assert 2 == await stored(client)


async def test_cut_connections(server: EmbeddedServer, connect: Connect) -> None:
    """
    Through connections that are cut again and again, every message is stored exactly once.
    """
    async with Proxy(server.port) as proxy:
        client = await connect(proxy.url)
        await client.ensure_stream("EVENTS", ["evt.>"])
        acks: list[PubAck] = []

        async def publish_some(publisher: int) -> None:
            for number in range(100):
                msg_id = f"{publisher}-{number}"
                acks.append(await client.publish_acked("evt.a", b"1", {}, msg_id=msg_id))

        publishing = asyncio.gather(*map(publish_some, range(5)))
        for epoch in range(2, 6):
            more = len(acks) + 20
            await until(lambda more=more: len(acks) > more)  # type: ignore[misc]
            proxy.cut()
            await until(lambda epoch=epoch: client.epoch >= epoch)  # type: ignore[misc]
        await publishing

        assert 500 == await stored(client) == len({ack.seq for ack in acks})


async def test_cancelled(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    A publish that is cancelled ends, and leaves nothing waiting.
    """
    publishing = asyncio.create_task(client.publish_acked("nobody.a", b"1", {}, msg_id="1"))
    await client.api("STREAM.NAMES")
    publishing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert not client._mux._waiting


# --- many at once ---


def messages(count: int, subject: str = "evt.a") -> list[Message]:
    """Numbered from 0."""
    return [Message(subject, b"%d" % n, {"Nats-Msg-Id": f"{subject}:{n}"}) for n in range(count)]


async def test_many(client: JetStreamClient) -> None:
    """
    Many are stored in their order, with one PubAck each.
    """
    acks: list[PubAck] = []
    assert 3000 == await client.publish_all(messages(3000), acks.append, in_flight=100)

    assert list(range(1, 3001)) == [ack.seq for ack in acks]
    assert b"2999" == (await client.js.get_msg("EVENTS", 3000)).data
    assert not client._mux._waiting


async def test_none(client: JetStreamClient) -> None:
    """
    Publishing nothing is done at once.
    """
    assert 0 == await client.publish_all([], lambda _ack: None)


async def test_in_flight_is_bounded(client: JetStreamClient) -> None:
    """
    Never more than the given number wait for their PubAck.
    """
    most = 0

    def source() -> Any:
        nonlocal most
        for message in messages(500):
            most = max(most, len(client._mux._waiting))
            yield message

    await client.publish_all(source(), lambda _ack: None, in_flight=10)
    assert 5 <= most <= 10


async def test_many_over_a_restart(server: EmbeddedServer, client: JetStreamClient) -> None:
    """
    A crash of the server in the midst of many loses none and stores none twice.
    """
    acks: list[PubAck] = []

    def keep(ack: PubAck) -> None:
        acks.append(ack)
        if len(acks) == 300:
            server.kill()
            server.start()

    await client.publish_all(messages(2000), keep, in_flight=64)

    assert 2000 == len(acks) == await stored(client)
    assert client.epoch >= 2


async def test_many_with_one_that_fails(client: JetStreamClient) -> None:
    """
    The first failure ends it: what was sent is seen through, the rest is not sent, and the error
    says which.
    """
    good = messages(100)
    large = Message("evt.a", bytes(2 << 20), {"Nats-Msg-Id": "large"})
    acks: list[PubAck] = []

    with pytest.raises(BulkFailed) as failed:
        await client.publish_all([*good[:50], large, *good[50:]], acks.append)

    ((position, error),) = failed.value.failures
    assert (50, 51) == (position, failed.value.taken)
    assert isinstance(error, MessageTooLarge)
    assert not failed.value.retryable
    assert 50 == len(acks) == await stored(client)


async def test_many_into_a_full_stream(client: JetStreamClient) -> None:
    """
    What the stream refuses is told one by one; what it took is counted.
    """
    await client.ensure_stream("FULL", ["full.>"], max_msgs=30, discard="new")
    acks: list[PubAck] = []

    with pytest.raises(BulkFailed, match="maximum messages exceeded") as failed:
        await client.publish_all(messages(100, "full.a"), acks.append, in_flight=40)

    taken = failed.value.taken
    assert 30 == len(acks)
    assert list(range(30, taken)) == [position for position, _ in failed.value.failures]
    assert taken < 100


async def test_source_that_raises(client: JetStreamClient) -> None:
    """
    When making a message fails, those before it are stored and the error is told.
    """

    def source() -> Any:
        yield from messages(10)
        raise KeyError("missing")

    with pytest.raises(BulkFailed) as failed:
        await client.publish_all(source(), lambda _ack: None)

    assert isinstance(failed.value.__cause__, KeyError)
    assert 10 == await stored(client)


# --- reading answers ---


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff", b'{"stream":"S"}'])
def test_answer_of_no_stream(data: bytes) -> None:
    """
    An answer that is no PubAck is a refusal: something else listens there.
    """
    ack = read_ack("evt.a", data, 1)

    assert isinstance(ack, PublishRefused)
    assert "who else listens there" in str(ack)


@pytest.mark.parametrize(
    ("err_code", "heals"),
    [(10008, True), (10009, True), (10158, True), (10077, False), (10023, False), (10054, False)],
)
def test_which_refusals_pass(err_code: int, heals: bool) -> None:
    """
    Elections, overload and a first try still under way pass; full streams and limits do not.
    """
    data = b'{"error":{"code":503,"err_code":%d,"description":"x"}}' % err_code
    refusal = read_ack("evt.a", data, 1)

    assert isinstance(refusal, PublishRefused)
    assert heals is heals_by_waiting(refusal)
