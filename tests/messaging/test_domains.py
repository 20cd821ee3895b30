"""What a JetStream domain stores, and what others store of the same message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.acked_publisher import Patience
from glam_shared.messaging.broker_errors import (
    BulkFailed,
    PermissionDenied,
    PublishFailed,
    StoredElsewhere,
)
from glam_shared.messaging.client import Message, PubAck
from glam_shared.messaging.headers import NATS_MSG_ID
from glam_worker.dev.server import EmbeddedServer
from glam_worker.jetstream.kv import Bucket
from tests.messaging.leaf_nodes import Servers, hub_and_leaf, linked
from tests.messaging.waiting import Connect

StartServer = Callable[..., EmbeddedServer]
BUCKET = {"subjects": ["$KV.LEDGER.>"], "max_msgs_per_subject": 1}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with hub_and_leaf(tmp_path) as servers:
        yield servers


async def through_the_leaf(servers: Servers, connect: Connect) -> JetStreamClient:
    """A client at the leaf that wants the hub's streams."""
    client = await connect(servers.leaf.url, domain="hub")
    await linked(client)
    return client


async def create(client: JetStreamClient, name: str, **config: Any) -> None:
    """Create a stream in the client's domain."""
    await client.api(f"STREAM.CREATE.{name}", {"name": name, **config})


async def stored(client: JetStreamClient, name: str) -> int:
    """How many messages the stream of the client's domain has."""
    return (await client.get_stream_info(name)).messages


async def test_the_domains_own_puback_is_awaited(servers: Servers, connect: Connect) -> None:
    """
    A stream at the leaf answers first; the PubAck that counts is the one of the domain.
    """
    client, own = await through_the_leaf(servers, connect), await connect(servers.leaf.url)
    await create(client, "EVENTS", subjects=["evt.>"])
    await create(own, "EVENTS", subjects=["evt.>"])

    ack = await client.publish_acked("evt.a", b"1", None, msg_id="one")
    many: list[PubAck] = []
    await client.publish_all([Message("evt.a", b"2", {NATS_MSG_ID: "two"})], many.append)

    assert ["hub", "hub"] == [ack.domain, many[0].domain]
    assert 2 == await stored(client, "EVENTS")


async def test_another_domains_puback_is_none(servers: Servers, connect: Connect) -> None:
    """
    While the hub is away, what the leaf alone has stored is not said to be stored, and the error
    names both domains; the same message goes to the hub when it is back.
    """
    client, own = await through_the_leaf(servers, connect), await connect(servers.leaf.url)
    await create(client, "EVENTS", subjects=["evt.>"])
    await create(own, "EVENTS", subjects=["evt.>"])
    servers.hub.kill()

    with pytest.raises(PublishFailed, match=r"domain leaf, not by domain hub") as failed:
        await client.publish_acked("evt.a", b"1", None, msg_id="one", timeout=0.3, budget=0.6)
    one = Message("evt.a", b"1", {NATS_MSG_ID: "one"})
    servers.hub.start()
    ack = await client.publish(one)

    assert isinstance(failed.value.__cause__, StoredElsewhere)
    assert ("hub", False) == (ack.domain, ack.duplicate)
    assert 1 == await stored(own, "EVENTS")


async def test_another_domains_refusal_is_no_refusal(servers: Servers, connect: Connect) -> None:
    """
    A stream at the leaf that is full does not keep the hub's from taking the message.
    """
    client, own = await through_the_leaf(servers, connect), await connect(servers.leaf.url)
    await create(client, "EVENTS", subjects=["evt.>"])
    await create(own, "EVENTS", subjects=["evt.>"], max_msgs=1, discard="new")
    await own.publish_acked("evt.a", b"0", None, msg_id="zero")

    ack = await client.publish_acked("evt.a", b"1", None, msg_id="one")

    assert "hub" == ack.domain


async def test_a_stream_that_only_the_leaf_has(servers: Servers, connect: Connect) -> None:
    """
    Of many messages, too, none is said to be stored by a stream of another domain.
    """
    client, own = await through_the_leaf(servers, connect), await connect(servers.leaf.url)
    await create(own, "EVENTS", subjects=["evt.>"])
    publisher = client._publisher
    message = Message("evt.a", b"1", {NATS_MSG_ID: "one"})

    with pytest.raises(BulkFailed, match="domain leaf, not by domain hub"):
        await publisher.publish_all(
            [message], lambda _ack: None, in_flight=8, patience=Patience(0.3, 0.6)
        )


async def test_keys_are_written_through_a_leaf(servers: Servers, connect: Connect) -> None:
    """
    A bucket of the hub is created, replaced and emptied through the leaf, whether or not the leaf
    has a bucket of that name.
    """
    client, own = await through_the_leaf(servers, connect), await connect(servers.leaf.url)
    await create(client, "KV_LEDGER", **BUCKET)
    bucket = Bucket(client, "LEDGER", budget=5.0)

    assert 1 == await bucket.create("a", b"1")
    await create(own, "KV_LEDGER", **BUCKET)
    assert 2 == await bucket.create("b", b"2")
    assert None is await bucket.create("a", b"3")
    assert 3 == await bucket.replace("a", b"3", 1)
    assert await bucket.give_up("b", 2)
    assert ["a", "b"] == sorted(
        subject.removeprefix("$KV.LEDGER.")
        for subject in (await client.api("STREAM.INFO.KV_LEDGER", {"subjects_filter": ">"}))[
            "state"
        ]["subjects"]
    )
    assert 0 == await stored(own, "KV_LEDGER")


@pytest.mark.parametrize("domain", ["hub", None])
async def test_an_account_imported_as_a_domain(
    start_server: StartServer, connect: Connect, domain: str | None
) -> None:
    """
    Where another account's API is imported under the name of a domain, PubAcks name the server's
    domain or none, keys are written as they are called, and both are taken.
    """
    shared = ("$JS.API.>", "$JS.ACK.>", "evt.>", "$KV.>")
    imports = [
        {"service": {"account": "B", "subject": one}}
        | ({"to": "$JS.bacc.API.>"} if one == "$JS.API.>" else {})
        for one in shared
    ]
    accounts = {
        "A": {"users": [{"user": "a", "password": "a"}], "imports": imports},
        "B": {
            "jetstream": "enabled",
            "users": [{"user": "b", "password": "b"}],
            "exports": [{"service": one, "response_type": "stream"} for one in shared],
        },
        "SYS": {"users": [{"user": "s", "password": "s"}]},
    }
    jetstream = {"domain": domain} if domain else {}
    server = start_server(accounts=accounts, system_account="SYS", jetstream=jetstream)
    client = await connect(server.url, user="a", password="a", domain="bacc")
    await create(client, "EVENTS", subjects=["evt.>"])
    await create(client, "KV_LEDGER", **BUCKET)

    ack = await client.publish_acked("evt.a", b"1", None, msg_id="one")
    revision = await Bucket(client, "LEDGER").create("a", b"1")

    await client.close()
    await client.connect(server.url, user="a", password="a", domain="bacc")
    again = await client.publish_acked("evt.a", b"2", None, msg_id="two")  # nothing is known yet

    assert (domain or "", 1, 2) == (ack.domain, ack.seq, again.seq)
    assert 1 == revision


async def test_the_hub_itself_is_asked_by_its_domain(servers: Servers, connect: Connect) -> None:
    """
    A client of the hub that names its domain writes and publishes as one of the leaf does.
    """
    client = await connect(servers.hub.url, domain="hub")
    await create(client, "EVENTS", subjects=["evt.>"])
    await create(client, "KV_LEDGER", **BUCKET)

    assert 1 == (await client.publish_acked("evt.a", b"1", None, msg_id="one")).seq
    assert 1 == await Bucket(client, "LEDGER").create("a", b"1")


async def test_a_key_denied_in_a_domain(start_server: StartServer, connect: Connect) -> None:
    """
    The domain's server names the key as it is called in the bucket.
    """
    permissions = {"publish": {"deny": ["$KV.LEDGER.>"]}}
    user = {"user": "anna", "password": "right", "permissions": permissions}
    server = start_server(authorization={"users": [user]}, jetstream={"domain": "hub"})
    client = await connect(server.url, user="anna", password="right", domain="hub")
    await client.ensure_stream("KV_LEDGER", ["$KV.LEDGER.>"])
    key = f"{await client.keys_of('LEDGER')}.a"
    began = time.monotonic()

    with pytest.raises(PermissionDenied, match=r"publish to \$KV\.LEDGER\.a"):
        await client.publish_acked(key, b"1", None, msg_id="one", timeout=30.0)

    assert time.monotonic() - began < 20.0
