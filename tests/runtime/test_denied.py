"""What a user may not do: said by readiness, as soon as it is known."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import reply_mux
from glam_worker.dev.server import EmbeddedServer
from glam_worker.jetstream import pull
from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"
MAY_PUBLISH: dict[str, Any] = {"publish": {"allow": [">"]}}
AUTHORIZED = "nats://worker:secret@"

StartsServer = Callable[..., EmbeddedServer]


class Order(BaseModel):
    number: int = 1


def may_not(publish: str) -> dict[str, Any]:
    """A user that may publish to everything else."""
    permissions = {"publish": {"deny": [publish]} if publish else {"allow": [">"]}}
    users = [
        {"user": "worker", "password": "secret", "permissions": permissions},
        {"user": "tester", "password": "secret"},
    ]
    return {"users": users}


def allow(server: EmbeddedServer) -> None:
    """Have the running server allow everything."""
    change(server, MAY_PUBLISH)


def change(server: EmbeddedServer, permissions: dict[str, Any]) -> None:
    """Have the running server allow its worker this."""
    authorization = may_not("")
    authorization["users"][0]["permissions"] = permissions
    file = server.store / "nats-server.conf"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"authorization": authorization}))
    os.kill(server.pid, signal.SIGHUP)


async def all_acked(bench: Bench) -> None:
    """Return once the server waits for no ack."""
    async with asyncio.timeout(bench.waiting.deadline):
        while True:
            info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")
            if not info["num_ack_pending"] + info["num_pending"]:
                return


@pytest.mark.parametrize(
    ("denied", "said"),
    [
        ("$JS.ACK.>", "publish to $JS.ACK.GLAM_EVENTS.Shop-place.>"),
        ("$JS.API.CONSUMER.MSG.NEXT.>", "publish to $JS.API.CONSUMER.MSG.NEXT.GLAM_EVENTS.Shop-"),
    ],
    ids=["acks", "pull requests"],
)
async def test_a_denied_subject_makes_the_worker_not_ready(
    worker: WorkerFactory, own_server: StartsServer, denied: str, said: str
) -> None:
    """Readiness names the subject in its own case; it is ready again once a connection may."""
    server = own_server(authorization=may_not(denied))

    @worker.on(SUBJECT, Order, ack_wait=0.5)
    async def place(order: Order) -> None: ...

    url = server.url.replace("nats://", AUTHORIZED)
    async with worker(servers=url, service="Shop") as bench:
        await bench.publish(SUBJECT, Order())
        reasons = await bench.until(bench.worker.not_ready, "the denial is told")
        assert any(said in reason for reason in reasons)
        allow(server)
        await bench.worker.client.client.force_reconnect()
        await bench.until(lambda: not bench.worker.not_ready(), "it is ready")
        await bench.finished(await bench.publish(SUBJECT, Order()))


@pytest.mark.parametrize(
    ("reconnects", "config"),
    [(False, {}), (True, {}), (False, {"feature_flags": {"js_ack_fc_v2": True}})],
    ids=["tries", "reconnects", "acks of 12 tokens"],
)
async def test_events_are_not_handled_again_while_acks_are_denied(
    worker: WorkerFactory, own_server: StartsServer, reconnects: bool, config: dict[str, Any]
) -> None:
    """Nothing is pulled until acks are allowed; then those that were denied are sent again."""
    server = own_server(authorization=may_not("$JS.ACK.>"), **config)
    runs: list[int] = []

    @worker.on(SUBJECT, Order, ack_wait=0.5, concurrency=2)
    async def place(order: Order) -> None:
        runs.append(order.number)

    url = server.url.replace("nats://", AUTHORIZED)
    async with worker(servers=url, service="shop") as bench:
        for number in range(20):
            await bench.publish(SUBJECT, Order(number=number))
        (reason,) = await bench.until(bench.worker.not_ready, "the denial is told")
        told = time.monotonic()
        await bench.until(lambda: time.monotonic() - told > 3 * 0.5, "leases to have ended thrice")
        allow(server)
        if reconnects:
            await bench.worker.client.client.force_reconnect()
        await bench.until(lambda: not bench.worker.not_ready(), "it is ready")
        await bench.until(lambda: len(set(runs)) == 20, "all to be handled")
        await all_acked(bench)

    assert "publish to $JS.ACK." in reason
    assert "GLAM_EVENTS.shop-place.>" in reason
    assert sorted(runs) == list(range(20))


async def test_acks_that_are_denied_are_said_once(
    worker: WorkerFactory, own_server: StartsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Many denied acks make one line of the log."""
    server = own_server(authorization=may_not("$JS.ACK.>"))

    @worker.on(SUBJECT, Order, ack_wait=60, concurrency=100)
    async def place(order: Order) -> None: ...

    url = server.url.replace("nats://", AUTHORIZED)
    with caplog.at_level(logging.WARNING, "glam_worker.connection"):
        async with worker(servers=url, service="shop") as first:
            await first.stop()
            for number in range(100):
                await first.publish(SUBJECT, Order(number=number))
        async with worker(servers=url, service="shop") as bench:
            await bench.until(bench.worker.not_ready)
            assert len(bench.settlements()) > 1

    ours = (one.message for one in caplog.records if one.name == "glam_worker.connection")
    said = [message for message in ours if "$JS.ACK" in message]
    assert len(said) == 1


async def test_inboxes_that_are_allowed_again_are_used_on_the_same_connection(
    worker: WorkerFactory, own_server: StartsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload takes the subscriptions away without closing the connection, another gives them
    back: what was published meanwhile is handled."""
    monkeypatch.setattr(reply_mux, "_INBOX_AGAIN", 0.2)
    monkeypatch.setattr(pull, "SILENCE", 1.0)
    server = own_server(authorization=may_not(""))

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    url = server.url.replace("nats://", AUTHORIZED)
    async with worker(servers=url, service="Shop", nats_inbox_prefix="_INBOX_shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        change(server, {"subscribe": {"deny": ["_INBOX_shop.>"]}, **MAY_PUBLISH})
        denied = "subscribe to _INBOX_shop."
        await bench.until(
            lambda: any(denied in reason for reason in bench.worker.not_ready()), "it is told"
        )
        event = await bench.publish(SUBJECT, Order())
        change(server, MAY_PUBLISH)
        await bench.finished(event)
        assert bench.worker.client.epoch == 1
