"""A take-over that is interrupted, by whatever, loses no event and replays none."""

from __future__ import annotations

from typing import Any

import nats
import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker.declare.registry import Registry
from glam_worker.testing import TenantServer
from glam_worker.topology.planning import Choices
from tests.topology.applied import UNDECIDED, apply, connection, plan
from tests.topology.interrupted import EndedError, EndingClient

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def _handle(order: Order) -> None: ...


def service(name: str, previously: str = "") -> Registry:
    """A service with one handler."""
    declared = Registry()
    former = (previously,) if previously else ()
    declared.on(SUBJECT, Order, name=name, previously=former)(_handle)
    return declared


async def worked(client: JetStreamClient, url: str) -> None:
    """Handler ``ship`` has settled two of five events, and one more out of turn."""
    await apply(client, service("ship"))
    for number in range(5):
        await client.publish_acked(SUBJECT, b"{}", {"A": "b"}, msg_id=str(number))
    plain = await nats.connect(url)
    pulled = await plain.jetstream().pull_subscribe_bind("shop-ship", "GLAM_EVENTS")
    first, second, _, fourth = await pulled.fetch(4)
    for message in (first, second, fourth):
        await message.ack_sync()
    await plain.close()


async def durables(client: JetStreamClient, stream: str) -> dict[str, dict[str, Any]]:
    """The consumers of a stream by their names."""
    found = (await client.api(f"CONSUMER.LIST.{stream}"))["consumers"]
    return {info["name"]: info for info in found}


async def interrupted(
    url: str, last: int, choices: Choices = UNDECIDED, *, applied: bool = False
) -> bool:
    """A take-over that ends with a change, and is done again; False if there were fewer changes."""
    new = service("send", "" if choices.moves else "ship")
    async with connection(url) as client:
        await worked(client, url)
        ended = False
        async with EndingClient(last, applied=applied) as ending:
            await ending.connect(url)
            try:
                await apply(ending, new, choices)
            except EndedError:
                ended = True
        assert {"shop-ship", "shop-send"} & (await durables(client, "GLAM_EVENTS")).keys()
        await apply(client, new, choices)
        mains = await durables(client, "GLAM_EVENTS")
        lanes = await durables(client, "GLAM_RETRY")
        assert not (await plan(client, new)).pending
    assert set(mains) == {"shop-send"}
    assert mains["shop-send"]["ack_floor"]["stream_seq"] == 2
    assert mains["shop-send"]["num_pending"] == 3
    assert set(lanes) == {"shop-send-lane"}
    assert set(lanes["shop-send-lane"]["config"]["filter_subjects"]) == {
        "retry.due.shop.send",
        "retry.due.shop.ship",
    }
    return ended


@pytest.mark.parametrize("last", [1, 3, 5])
async def test_an_interrupted_take_over_goes_on(nats_url: str, last: int) -> None:
    """At every moment one of the durables is there, and in the end the new one, at the floor."""
    assert await interrupted(nats_url, last)


@pytest.mark.faults
@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("by", ["declaration", "option"])
async def test_a_take_over_that_is_interrupted_anywhere_goes_on(
    nats_server: TenantServer, applied: bool, by: str
) -> None:
    """The same for every single change of the server as the last one."""
    choices = Choices(moves={"ship": "send"}) if by == "option" else UNDECIDED
    last = 1
    while await interrupted(nats_server.fresh_url(), last, choices, applied=applied):
        last += 1
    assert last > 6
