"""``plan`` and ``apply`` with what ``glam-worker permissions`` prints for who deploys."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker.cli.applying import performer
from glam_worker.cli.checking import Checked
from glam_worker.cli.planning import planned
from glam_worker.declare.registry import Registry
from glam_worker.testing.factory import BenchSettings
from glam_worker.topology.permissions import roles
from glam_worker.topology.planning import Choices
from glam_worker.topology.server_config import authorization_block, password_variable
from tests.topology.applied import UNDECIDED
from tests.topology.permitted_server import PASSWORD, permitted

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def _handle(order: Order) -> None: ...


def service(ack_wait: float) -> Registry:
    """A service with one handler."""
    declared = Registry()
    declared.on(SUBJECT, Order, name="send", previously="ship", ack_wait=ack_wait)(_handle)
    return declared.served_by("shop")


async def test_who_deploys_may_do_all_that_apply_does(tmp_path: Path) -> None:
    """Creating, changing, recreating and moving letters: nothing is denied."""
    settings = BenchSettings(service="shop", dlq_max_bytes=1 << 22, nats_inbox_prefix="_INBOX_shop")
    new = service(ack_wait=20)
    needed = list(roles(new.handlers, settings))
    variables = [password_variable("shop", role) for role in needed]
    denied: list[str] = []
    with permitted(tmp_path, authorization_block("shop", needed), variables) as url:
        async with JetStreamClient() as client:
            client.watch_denials(lambda denial: denied.append(denial.operation))
            await client.connect(
                url, user="shop-deploy", password=PASSWORD, inbox_prefix="_INBOX_shop"
            )

            async def apply(registry: Registry, choices: Choices = UNDECIDED) -> list[str]:
                found = Checked(registry, "shop", ())
                made = await planned(client, found, settings, choices)
                for change in made.changes:
                    await performer(client).perform(change.step)
                return [change.action for change in made.changes]

            legacy = {"name": "GLAM_EVENTS", "subjects": ["evt.>", "cmd.>", "dlq.>"]}
            await client.api("STREAM.CREATE.GLAM_EVENTS", legacy)
            await client.publish_acked("dlq.order.x", b"{}", {"A": "b"}, msg_id="letter")
            made: list[str] = [*await apply(new)]
            await client.api("CONSUMER.DELETE.GLAM_EVENTS.shop-send")
            made += await apply(new, Choices(("send",), "floor"))
            made += await apply(service(ack_wait=40))

    assert denied == []
    assert set(made) == {"create", "update", "move", "recreate"}


def test_who_deploys_may_end_what_a_handler_was_called_before() -> None:
    """The durables of former names, and no others."""
    settings = BenchSettings(service="shop")
    (deploy,) = (one for one in roles(service(30).handlers, settings) if one.name == "deploy")
    ended = {grant.subject for grant in deploy.publish if ".CONSUMER.DELETE." in grant.subject}

    assert ended == {
        f"$JS.API.CONSUMER.DELETE.{durable}"
        for durable in (
            *("GLAM_EVENTS.shop-send", "GLAM_RETRY.shop-send-lane"),
            *("GLAM_EVENTS.shop-ship", "GLAM_RETRY.shop-ship-lane"),
        )
    }
