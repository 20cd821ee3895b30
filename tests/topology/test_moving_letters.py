"""Dead letters of older services: moved to a stream of their own, none lost and none twice."""

from __future__ import annotations

import asyncio
import base64
import os
from itertools import count
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker import Reject
from glam_worker.declare.registry import Registry
from glam_worker.jetstream import moving_letters
from glam_worker.testing import TenantServer, WorkerFactory
from glam_worker.topology.specs import NS, PLACEHOLDER
from tests.topology.applied import apply, connection, plan
from tests.topology.interrupted import EndedError, EndingClient
from tests.topology.made_by_others import prepare, stream

LEGACY = stream("GLAM_EVENTS", "evt.>", "cmd.>", "dlq.>", max_age=86_400 * NS, max_msgs=1_000_000)
LETTERS = 11


class Order(BaseModel):
    number: int = 1


async def _reject(order: Order) -> None:
    raise Reject("no")


@pytest.fixture
def registry() -> Registry:
    """A service with one handler, that rejects."""
    declared = Registry()
    declared.on("evt.order.placed.v1", Order, name="place")(_reject)
    return declared


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches for a few letters."""
    monkeypatch.setattr(moving_letters, "BATCH", 4)


async def legacy(client: JetStreamClient) -> list[tuple[str, bytes, bytes]]:
    """Events and letters as older services leave them; the letters, as they are stored."""
    await client.api(*LEGACY)
    for number in range(LETTERS):
        body = os.urandom(20) + b"\r\n\x00" if number % 2 else b'{"number": 1}'
        headers = {"Reason": "it failed \u00e9", "X-Count": str(number), "Glam-Handler": "old"}
        msg_id = f"letter-{number}"
        await client.publish_acked(f"dlq.order.kind{number % 3}", body, headers, msg_id=msg_id)
        await client.publish_acked("evt.order.x", b"event", {}, msg_id=f"event-{number}")
    return await letters_of(client, "GLAM_EVENTS")


async def letters_of(client: JetStreamClient, name: str) -> list[tuple[str, bytes, bytes]]:
    """Subject, headers but for the server's own, and body of each letter, in order."""
    found = []
    last = (await client.api(f"STREAM.INFO.{name}"))["state"]["last_seq"]
    for sequence in range(1, last + 1):
        answer = await client.api(f"STREAM.MSG.GET.{name}", {"seq": sequence})
        message = answer["message"]
        if message["subject"].startswith("dlq."):
            lines = base64.b64decode(message["hdrs"]).split(b"\r\n")
            users = [line for line in lines if not line.startswith(b"Nats-")]
            body = base64.b64decode(message.get("data", ""))
            found.append((message["subject"], b"\r\n".join(users), body))
    return found


async def config(client: JetStreamClient, name: str) -> dict[str, Any]:
    """The configuration of a stream."""
    found: dict[str, Any] = (await client.api(f"STREAM.INFO.{name}"))["config"]
    return found


async def test_letters_are_moved_with_headers_and_bytes(
    worker: WorkerFactory, registry: Registry
) -> None:
    """Old letters are copied, new ones go to the new stream, and events stay where they are."""
    async with connection(worker.url) as client:
        before = await legacy(client)
        shown = await plan(client, registry)
        await apply(client, registry)
        after = await letters_of(client, "GLAM_DLQ")
        events, letters = await config(client, "GLAM_EVENTS"), await config(client, "GLAM_DLQ")
        kept = await letters_of(client, "GLAM_EVENTS")
        assert not (await plan(client, registry)).pending
    async with worker(registry, service="shop") as bench:
        await bench.finished(await bench.publish("evt.order.placed.v1", Order()))
        assert bench.worker.ensured.notes == []
        assert (await bench.client.api("STREAM.INFO.GLAM_DLQ"))["state"]["messages"] == LETTERS + 1

    assert ("move", "dead letters") in [(one.action, one.thing) for one in shown.changes]
    assert len(before) == LETTERS
    assert after == before == kept
    assert events["subjects"] == ["evt.>", "cmd.>"]
    assert (letters["subjects"], letters["discard"]) == (["dlq.>"], "new")


async def _interrupted(url: str, registry: Registry, last: int, *, applied: bool) -> bool:
    """A move that ends with a change, and is done again; False if it did not end before its end."""
    async with connection(url) as client:
        before = await legacy(client)
        ended = await _ends(url, registry, EndingClient(last, applied=applied))
        await apply(client, registry)
        assert await letters_of(client, "GLAM_DLQ") == before, f"after change {last}"
        assert (await config(client, "GLAM_DLQ"))["subjects"] == ["dlq.>"]
        assert not (await plan(client, registry)).pending
    return ended


async def _ends(url: str, registry: Registry, client: EndingClient) -> bool:
    """Apply, and be interrupted; False if there was nothing to interrupt any more."""
    async with client:
        await client.connect(url)
        try:
            await apply(client, registry)
        except EndedError:
            return True
    return False


@pytest.mark.parametrize("last", [6, 8, 10, 13, 15])
async def test_a_move_that_is_interrupted_goes_on(
    nats_url: str, registry: Registry, last: int
) -> None:
    """While streams are changed, and in the middle of the letters: all are there, once."""
    assert await _interrupted(nats_url, registry, last, applied=last % 2 == 0)


@pytest.mark.faults
@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
async def test_a_move_that_is_interrupted_anywhere_goes_on(
    nats_server: TenantServer, registry: Registry, applied: bool
) -> None:
    """The same for every single change of the server as the last one."""
    last = 1
    while await _interrupted(nats_server.fresh_url(), registry, last, applied=applied):
        last += 1
    assert last > 20


async def test_an_interrupted_move_is_exact_beyond_the_duplicate_window(
    worker: WorkerFactory, registry: Registry
) -> None:
    """What was copied and not recorded is found by its id, not by the server's memory."""
    async with connection(worker.url) as client:
        before = await legacy(client)
        ending = EndingClient(2, applied=False, letters_only=True)
        assert await _ends(worker.url, registry, ending)
        found = await client.api("STREAM.INFO.GLAM_DLQ")
        assert found["state"]["messages"] == 6  # one batch of four, and half of the next
        await _forgotten(client, found["config"])
        await apply(client, registry)
        after = await letters_of(client, "GLAM_DLQ")

    assert [one for one in after if one[0] != "dlq.probe"] == before


async def _forgotten(client: JetStreamClient, config: dict[str, Any]) -> None:
    """Return when the stream has forgotten a message id, and so all before it.

    The server looks for what is to be forgotten by a timer, which a change of the window sets
    anew; now and then it misses one.
    """
    async with asyncio.timeout(40):
        for look in count():
            if look % 20 == 0:
                shorter = config | {"duplicate_window": 100_000_000 + look}
                await client.api("STREAM.UPDATE.GLAM_DLQ", shorter)
                await client.publish_acked("dlq.probe", b"", {"A": "b"}, msg_id="probe")
            await asyncio.sleep(0.05)
            ack = await client.publish_acked("dlq.probe", b"", {"A": "b"}, msg_id="probe")
            if not ack.duplicate:
                return


async def test_a_stream_of_letters_that_cannot_be_made_changes_nothing(
    worker: WorkerFactory, registry: Registry
) -> None:
    """The old stream lets go only when the new one is there."""
    async with connection(worker.url) as client:
        before = await legacy(client)
        await client.api(*stream("OTHERS", PLACEHOLDER))
        with pytest.raises(Exception, match="overlap"):
            await apply(client, registry)
        assert (await config(client, "GLAM_EVENTS"))["subjects"] == ["evt.>", "cmd.>", "dlq.>"]
        await client.api("STREAM.DELETE.OTHERS")
        await apply(client, registry)
        assert await letters_of(client, "GLAM_DLQ") == before


async def test_letters_left_behind_by_hand_are_copied(
    worker: WorkerFactory, registry: Registry
) -> None:
    """Somebody took dlq.> out of the old stream, and a worker made the new one."""
    async with connection(worker.url) as client:
        before = await legacy(client)
        found = await config(client, "GLAM_EVENTS")
        await client.api("STREAM.UPDATE.GLAM_EVENTS", found | {"subjects": ["evt.>", "cmd.>"]})
    async with worker(registry, service="shop"):
        pass
    async with connection(worker.url) as client:
        shown = await plan(client, registry)
        await apply(client, registry)
        after = await letters_of(client, "GLAM_DLQ")
        again = await plan(client, registry)
    await prepare(worker.url)

    assert ("copy", "dead letters") in [(one.action, one.thing) for one in shown.changes]
    assert after == before
    assert not again.pending
