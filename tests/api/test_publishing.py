"""A request becomes an event, and the answer says so only when the broker has it."""

# No `annotations` of the future here: FastAPI could not find the dependencies made in a fixture.
import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from glam_shared import get_correlation_context
from glam_shared.api import (
    BrokerSettings,
    PublisherDep,
    PublisherLifespan,
    WebhookHeadersDep,
    create_health_router,
    parse_webhook_body,
    setup_metrics,
    setup_middleware,
    verify_webhook_signature,
)
from glam_shared.errors import ConfigurationError
from glam_shared.messaging import EventEnvelope, JetStreamClient, Subjects
from glam_shared.messaging.events import EventPlatform, WebhookReceivedPayload
from glam_worker.dev.server import EmbeddedServer

SECRET = "webhook-secret"
SHOP = EventPlatform(
    merchant_id=UUID(int=7), platform_name="shopify", platform_shop_id="1", domain="shop.example"
)

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A real nats-server; its port is known, but it does not run yet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = EmbeddedServer(tmp_path / "store", port)
    yield server
    server.stop()


@pytest.fixture
async def stream(broker: EmbeddedServer) -> AsyncIterator[JetStreamClient]:
    """The running broker with the events' stream, and a client to look into it."""
    broker.start()
    async with JetStreamClient() as client:
        await client.connect(broker.url)
        await client.ensure_stream("GLAM_EVENTS", ["evt.>", "cmd.>"], duplicate_window=120)
        yield client


class Note(BaseModel):
    text: str


def make_service(broker: EmbeddedServer, budget: float = 3.0) -> FastAPI:
    """A service that turns requests and webhooks into events."""
    settings = BrokerSettings(nats_servers=f"nats://127.0.0.1:{broker.port}")
    publishing = PublisherLifespan("shop-service", settings, budget=budget)
    app = FastAPI(lifespan=publishing)
    setup_middleware(app, service_name="shop-service")
    app.include_router(create_health_router("shop-service", {"broker": publishing.ready}))
    verified = verify_webhook_signature(SECRET)

    @app.post("/notes")
    async def notes(note: Note, publisher: PublisherDep) -> str:
        return await publisher.publish_event("evt.note.taken.v1", note)

    @app.post("/big/{size}")
    async def big(size: int, publisher: PublisherDep) -> str:
        return await publisher.publish_event("evt.note.taken.v1", Note(text="x" * size))

    @app.post("/raw")
    async def raw(request: Request, publisher: PublisherDep) -> str:
        text = (await request.body()).decode()
        return await publisher.publish_event("evt.note.taken.v1", Note(text=text))

    @app.post("/mistake/{subject}")
    async def mistake(subject: str, publisher: PublisherDep) -> str:
        return await publisher.publish_event(subject, Note(text="x"))

    @app.post("/hooks")
    async def hooks(
        headers: WebhookHeadersDep,
        body: Annotated[bytes, Depends(verified)],
        publisher: PublisherDep,
    ) -> str:
        payload = WebhookReceivedPayload(
            platform=SHOP,
            webhook_id=headers.webhook_id or "",
            topic=headers.topic,
            received_at=datetime.now(UTC),
            body=parse_webhook_body(body),
        )
        return await publisher.publish_event(
            Subjects.WEBHOOK_RECEIVED, payload, event_id=headers.event_id
        )

    return app


@pytest.fixture
async def service(broker: EmbeddedServer, connect: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a running service, whether the broker runs or not."""
    app = make_service(broker)
    async with app.router.lifespan_context(app):
        yield connect(app)


async def ready(client: httpx.AsyncClient, wanted: bool) -> None:
    """Wait until readiness is as *wanted*."""
    async with asyncio.timeout(20):
        while ((await client.get("/health/ready")).status_code == 200) is not wanted:
            await asyncio.sleep(0.02)


async def events(client: JetStreamClient) -> list[tuple[EventEnvelope, dict[str, str]]]:
    """Every event of the stream with its headers."""
    found = []
    count = (await client.get_stream_info("GLAM_EVENTS")).messages
    for sequence in range(1, count + 1):
        message = await client.js.get_msg("GLAM_EVENTS", sequence)
        assert message.data is not None
        found.append((EventEnvelope.from_bytes(message.data), dict(message.headers or {})))
    return found


def webhook(body: bytes, webhook_id: str | None = "w-1", secret: str = SECRET) -> dict[str, str]:
    """Headers of a webhook."""
    mac = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    headers = {
        "X-Shopify-Hmac-Sha256": base64.b64encode(mac).decode(),
        "X-Webhook-Topic": "orders/create",
    }
    return headers if webhook_id is None else {**headers, "X-Webhook-Id": webhook_id}


async def test_the_event_carries_the_request_s_correlation_id(
    stream: JetStreamClient, service: httpx.AsyncClient
) -> None:
    """The answer names the event that the broker has, with the ids of the request."""
    answer = await service.post("/notes", json={"text": "hi"}, headers={"X-Correlation-ID": "c-9"})

    ((envelope, headers),) = await events(stream)
    assert (200, envelope.event_id) == (answer.status_code, answer.json())
    assert ("c-9", "shop-service", "evt.note.taken.v1", {"text": "hi"}) == (
        envelope.correlation_id,
        envelope.source_service,
        envelope.event_type,
        envelope.data,
    )
    assert f"evt.note.taken.v1:{envelope.event_id}" == headers["Nats-Msg-Id"]


async def test_parallel_requests_publish_under_their_own_ids(
    stream: JetStreamClient, service: httpx.AsyncClient
) -> None:
    """50 requests at once: 50 events, each with the id of its own request."""

    async def ask(number: int) -> None:
        name = f"c{number}"
        answer = await service.post(
            "/notes", json={"text": name}, headers={"X-Correlation-ID": name}
        )
        assert 200 == answer.status_code

    await asyncio.gather(*(ask(number) for number in range(50)))

    found = await events(stream)
    assert 50 == len({envelope.event_id for envelope, _ in found})
    assert all(envelope.correlation_id == envelope.data["text"] for envelope, _ in found)
    assert get_correlation_context() is None


async def test_a_redelivered_webhook_is_one_event(
    stream: JetStreamClient, service: httpx.AsyncClient
) -> None:
    """The same webhook id twice: 200 twice, one event; another id: another event."""
    body = b'{"id": 1}'
    first, again = [await service.post("/hooks", content=body, headers=webhook(body)) for _ in "ab"]
    other = await service.post("/hooks", content=body, headers=webhook(body, "w-2"))

    assert [200] * 3 == [answer.status_code for answer in (first, again, other)]
    assert first.json() == again.json() != other.json()
    found = await events(stream)
    assert [first.json(), other.json()] == [envelope.event_id for envelope, _ in found]
    assert f"evt.webhook.received.v1:{first.json()}" == found[0][1]["Nats-Msg-Id"]
    assert {"id": 1} == found[0][0].data["body"]


async def test_a_webhook_that_is_not_the_sender_s_is_no_event(
    stream: JetStreamClient, service: httpx.AsyncClient
) -> None:
    """A wrong signature, a missing id and a body that is no JSON leave nothing in the stream."""
    attacks = [
        (401, b"{}", webhook(b"{}", secret="theirs")),
        (401, b'{"a": 2}', webhook(b'{"a": 1}')),
        (400, b"{}", webhook(b"{}", None)),
        (400, b"{NaN}", webhook(b"{NaN}")),
        (400, b'{"a": "\\u0000"}', webhook(b'{"a": "\\u0000"}')),
    ]
    for status, body, headers in attacks:
        answer = await service.post("/hooks", content=body, headers=headers)
        assert status == answer.status_code

    assert [] == await events(stream)


async def test_a_broker_that_is_away_at_start_up_does_not_stop_the_service(
    broker: EmbeddedServer, connect: Any, lines: Lines
) -> None:
    """The service starts, is alive and not ready, answers 503; and works when the broker comes."""
    app = make_service(broker, budget=0.3)
    body = b"{}"
    async with app.router.lifespan_context(app):
        client = connect(app)
        alive = await client.get("/health")
        not_ready = await client.get("/health/ready")
        refused = await client.post("/hooks", content=body, headers=webhook(body))
        broker.start()
        await ready(client, True)
        async with JetStreamClient() as admin:
            await admin.connect(broker.url)
            await admin.ensure_stream("GLAM_EVENTS", ["evt.>"])
            taken = await client.post("/hooks", content=body, headers=webhook(body))
            found = await events(admin)

    assert [200, 503, 503, 200] == [
        answer.status_code for answer in (alive, not_ready, refused, taken)
    ]
    checks = not_ready.json()["error"]["details"]["checks"]
    assert {"broker": {"status": "failed", "reason": "not connected to the broker"}} == checks
    assert "5" == refused.headers["Retry-After"]
    assert "SERVICE_UNAVAILABLE" == refused.json()["error"]["code"]
    assert [taken.json()] == [envelope.event_id for envelope, _ in found]
    assert "127.0.0.1" not in refused.text + not_ready.text


async def test_a_broker_that_dies_is_503_until_it_is_back(
    broker: EmbeddedServer, stream: JetStreamClient, connect: Any
) -> None:
    """Killed while the service runs: not ready and 503; back: ready and 200."""
    app = make_service(broker, budget=0.3)
    async with app.router.lifespan_context(app):
        client = connect(app)
        await ready(client, True)
        answers = [await client.post("/notes", json={"text": "before"})]
        broker.kill()
        await ready(client, False)
        answers.append(await client.post("/notes", json={"text": "during"}))
        broker.start()
        await ready(client, True)
        answers.append(await client.post("/notes", json={"text": "after"}))
        assert await stream.wait_connected(20)

    assert [200, 503, 200] == [answer.status_code for answer in answers]
    kept = {envelope.event_id for envelope, _ in await events(stream)}
    assert {answer.json() for answer in answers if answer.status_code == 200} <= kept


async def test_no_event_that_was_answered_200_is_lost(
    broker: EmbeddedServer, stream: JetStreamClient, connect: Any
) -> None:
    """Requests while the broker is killed and comes back: each 200 is in the stream, once."""
    app = make_service(broker, budget=0.5)
    answers: list[httpx.Response] = []
    over = asyncio.Event()

    async def ask(client: httpx.AsyncClient) -> None:
        while not over.is_set():
            answers.append(await client.post("/notes", json={"text": "x"}))

    def count(status: int) -> int:
        return sum(answer.status_code == status for answer in answers)

    async def until(reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not reached():
                await asyncio.sleep(0.01)

    async with app.router.lifespan_context(app), asyncio.TaskGroup() as asking:
        for _ in range(8):
            asking.create_task(ask(connect(app)))
        await until(lambda: count(200) > 50)
        broker.kill()
        await until(lambda: count(503) > 0)
        broker.start()
        before = count(200)
        await until(lambda: count(200) > before + 50)
        over.set()

    assert await stream.wait_connected(20)
    kept = [envelope.event_id for envelope, _ in await events(stream)]
    assert {answer.json() for answer in answers if answer.status_code == 200} <= set(kept)
    assert len(kept) == len(set(kept))
    assert {200, 503} == {answer.status_code for answer in answers}


async def test_a_broker_that_hangs_costs_the_budget_and_no_more(
    broker: EmbeddedServer, stream: JetStreamClient, service: httpx.AsyncClient
) -> None:
    """A stopped broker takes the bytes and says nothing: 503 after 3 s."""
    await ready(service, True)
    os.kill(broker.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        answer = await service.post("/notes", json={"text": "x"})
    finally:
        took = time.monotonic() - began
        os.kill(broker.pid, signal.SIGCONT)

    assert 503 == answer.status_code
    assert 2.9 < took < 15.0  # the publisher alone would try for 30 s


async def test_no_stream_is_no_200(broker: EmbeddedServer, connect: Any) -> None:
    """A subject that no stream takes is stored nowhere: 503."""
    broker.start()
    app = make_service(broker, budget=0.5)
    async with app.router.lifespan_context(app):
        answer = await connect(app).post("/notes", json={"text": "x"})

    assert (503, "5") == (answer.status_code, answer.headers["Retry-After"])


async def test_a_full_stream_is_no_200(broker: EmbeddedServer, connect: Any) -> None:
    """A stream that refuses is 503, and says nothing of the broker."""
    broker.start()
    app = make_service(broker)
    async with JetStreamClient() as admin, app.router.lifespan_context(app):
        await admin.connect(broker.url)
        await admin.ensure_stream("SMALL", ["evt.>"], max_msgs=1, discard="new")
        client = connect(app)
        found = [await client.post("/notes", json={"text": "x"}) for _ in range(2)]

    assert [200, 503] == [answer.status_code for answer in found]
    assert "maximum messages" not in found[1].text


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/big/2000000", b"", 413, "EVENT_TOO_LARGE"),
        ("/raw", b"\x00", 422, "EVENT_INVALID"),
        ("/mistake/other.subject", b"", 500, "INTERNAL_ERROR"),
        ("/mistake/evt.merchant.created.v1", b"", 500, "INTERNAL_ERROR"),
    ],
)
async def test_what_cannot_be_an_event(
    stream: JetStreamClient,
    service: httpx.AsyncClient,
    path: str,
    content: bytes,
    status: int,
    code: str,
) -> None:
    """Data is the client's fault, a wrong subject or model ours; neither is told about."""
    answer = await service.post(path, content=content)

    assert (status, code) == (answer.status_code, answer.json()["error"]["code"])
    assert "evt." not in answer.text
    assert [] == await events(stream)


async def test_publishing_needs_its_lifespan(app: FastAPI, client: Any, lines: Lines) -> None:
    """A route that publishes without a lifespan is 500, and the log says what is missing."""

    @app.post("/notes")
    async def notes(publisher: PublisherDep) -> None: ...

    answer = await client.post("/notes")

    assert 500 == answer.status_code
    assert any("PublisherLifespan" in line["message"] for line in lines())


@pytest.mark.parametrize("budget", [0, -1, 3.01, float("nan"), float("inf")])
def test_a_budget_is_at_most_three_seconds(budget: float) -> None:
    """A sender of webhooks gives up after five: a longer budget is refused at start-up."""
    with pytest.raises(ConfigurationError, match="at most 3 s"):
        PublisherLifespan("x", BrokerSettings(), budget=budget)


def test_servers_that_cannot_be_read_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes at start-up and shows no password."""
    monkeypatch.setenv("GLAM_NATS_SERVERS", "http://user:hunter2@x")

    with pytest.raises(ConfigurationError) as found:
        PublisherLifespan("x")

    assert "hunter2" not in str(found.value)


async def test_metrics_count_what_was_published(
    broker: EmbeddedServer, stream: JetStreamClient, connect: Any
) -> None:
    """Published, failed and the time spent, of all publishers of the process."""
    registry = CollectorRegistry()
    app = make_service(broker)
    setup_metrics(app, registry=registry)

    def value(name: str) -> float:
        return registry.get_sample_value(name) or 0.0

    before = value("glam_published_total"), value("glam_publish_failures_total")
    async with app.router.lifespan_context(app):
        client = connect(app)
        await client.post("/notes", json={"text": "x"})
        await client.post("/big/2000000")
    after = value("glam_published_total"), value("glam_publish_failures_total")

    assert (1, 1) == (after[0] - before[0], after[1] - before[1])
    assert value("glam_publish_duration_seconds_count") == sum(after)
    assert value("glam_publish_duration_seconds_sum") > 0


async def test_a_webhook_on_a_real_server(
    broker: EmbeddedServer, stream: JetStreamClient, serving: Any, raw_request: Any
) -> None:
    """From the socket to the stream and back: chunked in, one event, 200 with its id."""
    body = b'{"id": 1}'
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in webhook(body).items())
    request = b"POST /hooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n"

    async with serving(make_service(broker)) as port:
        answer, _ = await raw_request(port, request, b"9\r\n" + body + b"\r\n", b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    ((envelope, _),) = await events(stream)
    assert envelope.event_id == json.loads(answer.partition(b"\r\n\r\n")[2])
