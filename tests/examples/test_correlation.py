"""One id from a request to the last event that comes of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from examples.front_door.demo.trace import lines, stored_events
from glam_shared.messaging import Subjects
from tests.cli.command import running
from tests.examples.door_process import door_process, sent

ID = "order-42:from.the-client"

HANDLERS = """\
import logging

from pydantic import BaseModel

from glam_shared import get_correlation_context
from glam_shared.messaging.events import MerchantCreatedPayload
from glam_worker import EventContext, Reject, Retry, RetryPolicy, on

log = logging.getLogger("shop")


class Greeting(BaseModel):
    shop: str


def say(text: str, event: EventContext) -> None:
    log.info(text, extra={"context": get_correlation_context(), "told": event.correlation_id})


@on("evt.merchant.created.v1", MerchantCreatedPayload, retry=RetryPolicy(first=0.1))
async def greet(merchant: MerchantCreatedPayload, event: EventContext) -> None:
    say("greeting", event)
    if event.attempt == 1:
        raise Retry()
    await event.publish("evt.shop.greeted.v1", Greeting(shop=merchant.shop_name))


@on("evt.shop.greeted.v1", Greeting)
def count(greeting: Greeting, event: EventContext) -> None:
    say("counting", event)
    event.publish_sync("evt.shop.counted.v1", greeting)


@on("evt.shop.counted.v1", Greeting)
async def refuse(greeting: Greeting, event: EventContext) -> None:
    say("refusing", event)
    raise Reject("enough")
"""


async def test_one_id_goes_from_the_request_to_the_last_event(
    nats_url: str, tmp_path: Path
) -> None:
    """X-Correlation-ID is on the answer, in the front door's log, in the envelope; in the context
    and on every log line of the handlers, in a coroutine, a thread and a retry; in the events
    that they publish; and on the dead letter at the end.
    """
    (tmp_path / "shop.py").write_text(HANDLERS)
    run = ("run", "shop", "--servers", nats_url, "--http-port", "0", "--log-format", "json")
    async with door_process(nats_url, tmp_path) as door:
        with running(*run, cwd=tmp_path, env={"GLAM_LOG_LEVEL": "DEBUG"}) as worker:
            await asyncio.to_thread(worker.says, "working 3 handler")
            answer = await sent(door.callers.registration(ID))
            await asyncio.to_thread(worker.says, "dead letter: rejected")
            assert 0 == await asyncio.to_thread(worker.stop)
        events = await stored_events(door.client)
        letter = await door.client.js.get_last_msg("GLAM_DLQ", "dlq.shop.counted.v1")
        (access,) = [line for line in lines(door.log) if line.get("route") == "/v1/shop"]

    assert (200, ID) == (answer.status_code, answer.headers["X-Correlation-ID"])
    assert ID == answer.json()["meta"]["correlation_id"] == access["correlation_id"]
    assert [
        (Subjects.MERCHANT_CREATED, ID, "front-door"),
        ("evt.shop.greeted.v1", ID, "shop"),
        ("evt.shop.counted.v1", ID, "shop"),
    ] == [
        (one.envelope.event_type, one.envelope.correlation_id, one.envelope.source_service)
        for one in events
    ]
    assert [ID] == [(letter.headers or {})["Glam-Correlation-Id"]]
    said = [line for line in _json(worker.said) if "told" in line]
    assert ["greeting", "greeting", "counting", "refusing"] == [line["message"] for line in said]
    assert {(ID, ID, ID)} == {
        (line["correlation_id"], line["context"], line["told"]) for line in said
    }
    assert [("greet", 1), ("greet", 2), ("count", 1), ("refuse", 1)] == [
        (line["handler"], line["attempt"]) for line in said
    ]
    told = [line for line in _json(worker.said) if line["logger"] == "glam_worker.events"]
    assert [ID] * 4 == [line["correlation_id"] for line in told]


def _json(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]
