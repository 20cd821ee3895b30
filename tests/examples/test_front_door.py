"""The front door: what becomes of requests and webhooks."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.front_door.app import create_app
from examples.front_door.callers import SHOP, client_token, signature
from examples.storefront import handlers, store
from glam_shared.messaging import Subjects
from glam_worker.testing import WorkerFactory
from tests.examples.conftest import URL, Door, door_app


async def until(fact: Callable[[], Awaitable[bool]]) -> None:
    """Look until it is so."""
    async with asyncio.timeout(20):
        while not await fact():
            await asyncio.sleep(0.02)


def signed(door: Door, body: dict[str, Any], **headers: str) -> httpx.Request:
    """A webhook with this body; headers that are given replace the callers'."""
    content = json.dumps(body).encode()
    plain = door.callers.webhook("w-1")
    plain.headers["X-Shopify-Hmac-Sha256"] = signature(door.secrets.webhook, content)
    plain.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    del plain.headers["Content-Length"]
    return httpx.Request("POST", plain.url, content=content, headers=plain.headers)


# --- a shop ---


async def test_a_registration_is_an_event(door: Door) -> None:
    """The shop of the token is announced under the request's correlation id."""
    answer = await door.ask(door.callers.registration("corr-7"))

    (event,) = await door.events()
    assert (200, "corr-7") == (answer.status_code, answer.headers["X-Correlation-ID"])
    assert (Subjects.MERCHANT_CREATED, "corr-7", "front-door") == (
        event.envelope.event_type,
        event.envelope.correlation_id,
        event.envelope.source_service,
    )
    assert answer.json()["data"] == {
        "merchant_id": event.envelope.data["platform"]["merchant_id"],
        "domain": SHOP,
        "event_id": event.envelope.event_id,
    }


async def test_a_registration_sent_again_changes_nothing(door: Door) -> None:
    """The answer is the same, and there is one event, however late it comes."""
    first = await door.ask(door.callers.registration("corr-1"))
    again = await door.ask(door.callers.registration("corr-2"))

    assert first.json()["data"] == again.json()["data"]
    assert 1 == len(await door.events())


async def test_a_registration_that_was_not_accepted_is_announced_when_it_is_sent_again(
    door: Door, tmp_path: Path
) -> None:
    """503 while the broker is away; the next try publishes the event that the first could not."""
    away = door_app("nats://127.0.0.1:9", tmp_path, door.secrets)
    async with (
        away.router.lifespan_context(away),
        httpx.AsyncClient(transport=httpx.ASGITransport(away)) as http,
    ):
        refused = await http.send(door.callers.registration("corr-1"))

    taken = await door.ask(door.callers.registration("corr-2"))

    assert (503, "5") == (refused.status_code, refused.headers["Retry-After"])
    (event,) = await door.events()
    assert taken.json()["data"]["event_id"] == event.envelope.event_id


@pytest.mark.parametrize(
    ("shop", "scope", "status", "code"),
    [
        ("other.example", "write_shop", 401, "DOMAIN_MISMATCH"),
        (SHOP, "read_webhooks", 403, "INVALID_SCOPE"),
    ],
)
async def test_a_shop_registers_itself_only(
    door: Door, shop: str, scope: str, status: int, code: str
) -> None:
    """A token of another shop, or without the scope, leaves no event."""
    request = door.callers.registration("corr-1")
    token = client_token(door.secrets.client, shop, scope)
    request.headers["Authorization"] = f"Bearer {token}"

    answer = await door.ask(request)

    assert (status, code) == (answer.status_code, answer.json()["error"]["code"])
    assert [] == await door.events()


# --- webhooks ---


async def test_a_webhook_is_one_event_however_often_it_is_sent(door: Door) -> None:
    """Its event id and the broker's Nats-Msg-Id are those of the webhook's id."""
    await door.registered()
    answers = [await door.ask(door.callers.webhook("w-1")) for _ in "ab"]
    other = await door.ask(door.callers.webhook("w-2"))

    events = await door.events(Subjects.WEBHOOK_RECEIVED)
    ids = [answer.json()["data"]["event_id"] for answer in answers]
    message = await door.client.js.get_msg("GLAM_EVENTS", events[0].sequence)
    assert [200] * 3 == [answer.status_code for answer in (*answers, other)]
    assert ids == [events[0].envelope.event_id] * 2
    assert 2 == len(events)
    assert f"{Subjects.WEBHOOK_RECEIVED}:{ids[0]}" == (message.headers or {})["Nats-Msg-Id"]
    assert ("w-1", SHOP) == (
        events[0].envelope.data["webhook_id"],
        events[0].envelope.data["platform"]["domain"],
    )


@pytest.mark.parametrize(
    ("status", "code", "make"),
    [
        (401, "INVALID_WEBHOOK_SIGNATURE", lambda door: door.callers.webhook("w", "s" * 32)),
        (404, "NOT_FOUND", lambda door: signed(door, {}, X_Shopify_Shop_Domain="b.example")),
        (
            400,
            "WEBHOOK_DOMAIN_MISMATCH",
            lambda door: signed(door, {"myshopify_domain": "b.example"}),
        ),
        (400, "MISSING_WEBHOOK_TOPIC", lambda door: signed(door, {}, X_Shopify_Topic="")),
        (400, "MISSING_WEBHOOK_ID", lambda door: signed(door, {}, X_Shopify_Webhook_Id="")),
        (413, "BODY_TOO_LARGE", lambda door: signed(door, {"x": "x" * 1_100_000})),
    ],
)
async def test_a_webhook_that_is_refused_leaves_no_event(
    door: Door, status: int, code: str, make: Callable[[Door], httpx.Request]
) -> None:
    """The answer is an error that names the reason, in the shape of every answer."""
    await door.registered()

    answer = await door.ask(make(door))

    assert (status, code) == (answer.status_code, answer.json()["error"]["code"])
    assert {"error", "meta"} == answer.json().keys()
    assert [] == await door.events(Subjects.WEBHOOK_RECEIVED)


async def test_a_webhook_that_comes_again_after_hours_is_not_handled_again(
    door: Door,
    worker: WorkerFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker has forgotten it and stores it twice; the idempotent handler runs once."""
    monkeypatch.setenv(store.FILE, str(tmp_path / "shop.db"))
    await door.client.delete_stream("GLAM_EVENTS")
    await door.client.ensure_stream("GLAM_EVENTS", ["evt.>", "cmd.>"], duplicate_window=0.2)
    await door.registered()
    async with worker(handlers.take_webhook) as bench:
        event = (await door.ask(door.callers.webhook("w-1"))).json()["data"]["event_id"]
        await bench.finished(event)

        async def stored_again() -> bool:
            await door.ask(door.callers.webhook("w-1"))
            return len(await door.events(Subjects.WEBHOOK_RECEIVED)) > 1

        await until(stored_again)
        second = await bench.settled(event, 2)
        processed = await bench.published(Subjects.WEBHOOK_PROCESSED)

    assert "duplicate" == second.outcome
    assert 1 == len(processed)


async def test_a_shop_sees_its_own_webhooks_page_by_page(door: Door) -> None:
    """The newest first, each once, with links that keep the filter; no other shop's."""
    await door.registered()
    for number in (1, 2, 3, 3):
        await door.ask(door.callers.webhook(f"w-{number}"))

    def listed(query: str, shop: str = SHOP) -> httpx.Request:
        token = client_token(door.secrets.client, shop)
        headers = {"X-Shop-Platform": "shopify", "X-Shop-Domain": shop}
        headers["Authorization"] = f"Bearer {token}"
        return httpx.Request("GET", f"{URL}/v1/webhooks?{query}", headers=headers)

    first = (await door.ask(listed("limit=2&topic=orders/create"))).json()
    second = (await door.ask(listed(first["links"]["next"].partition("?")[2]))).json()
    others = (await door.ask(listed("", "other.example"))).json()

    assert ["w-3", "w-2"] == [one["webhook_id"] for one in first["data"]]
    assert ["w-1"] == [one["webhook_id"] for one in second["data"]]
    assert {"page": 1, "limit": 2, "total": 3, "pages": 2}.items() <= first["pagination"].items()
    assert "topic=orders%2Fcreate" in first["links"]["next"]
    assert [] == others["data"]
    assert [] == (await door.ask(listed("topic=none"))).json()["data"]


# --- other services ---


async def test_a_report_sent_again_is_the_same_report(door: Door) -> None:
    """The report's id is the event's; amounts stay exact."""
    await door.registered()
    request = door.callers.low_balance("owner@shop.example")
    answers = [await door.ask(request) for _ in "ab"]

    (event,) = await door.events(Subjects.CREDIT_BALANCE_LOW)
    assert [202, 202] == [answer.status_code for answer in answers]
    assert json.loads(request.content)["report_id"] == event.envelope.event_id
    assert "2.50" == str(event.envelope.data["balance"])


async def test_only_the_billing_service_reports(door: Door) -> None:
    """Another service's key is 403, a client's token and nothing at all are 401."""
    await door.registered()
    statuses = []
    for key in ("o" * 32, client_token(door.secrets.client), ""):
        request = door.callers.low_balance("owner@shop.example")
        request.headers["Authorization"] = f"Bearer {key}"
        statuses.append((await door.ask(request)).status_code)

    assert [403, 401, 401] == statuses
    assert [] == await door.events(Subjects.CREDIT_BALANCE_LOW)


async def test_a_report_of_an_unknown_shop_is_not_found(door: Door) -> None:
    """404, and no event."""
    answer = await door.ask(door.callers.low_balance("owner@shop.example"))

    assert (404, "NOT_FOUND") == (answer.status_code, answer.json()["error"]["code"])
    assert [] == await door.events()


# --- the service itself ---


async def test_requests_and_events_are_counted(door: Door) -> None:
    """/metrics has the webhooks by status, and what was published."""
    await door.registered()
    await door.ask(door.callers.webhook(str(uuid.uuid4())))

    metrics = (await door.http.get(f"{URL}/metrics")).text

    counted = 'glam_http_requests_total{method="POST",route="/webhooks/shopify",status="200"}'
    assert counted in metrics
    assert "glam_published_total" in metrics


async def test_it_is_ready_while_the_broker_is_there(door: Door) -> None:
    """Health says so, in the shape of every answer."""

    async def ready() -> bool:
        answer = await door.http.get(f"{URL}/health/ready")
        return bool(answer.json().get("data", {}).get("status") == "ready")

    await until(ready)
    assert "healthy" == (await door.http.get(f"{URL}/health")).json()["data"]["status"]


def test_a_missing_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named."""
    monkeypatch.delenv("SHOPIFY_WEBHOOK_SECRET", raising=False)

    with pytest.raises(ValueError, match="shopify_webhook_secret"):
        create_app()


def test_callers_sign_as_the_platform_does() -> None:
    """The known HMAC-SHA256 of a known text, in base64."""
    known = bytes.fromhex("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")

    signed_text = signature("key", b"The quick brown fox jumps over the lazy dog")

    assert known == base64.b64decode(signed_text)
