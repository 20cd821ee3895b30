"""``glam-worker permissions``: enough for each user, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventPublisher
from glam_worker import EventContext, Reject, Retry, RetryPolicy, Worker
from glam_worker.declare.filters import covers
from glam_worker.declare.handler import Handler
from glam_worker.declare.registry import Registry
from glam_worker.errors import TopologyError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.state import JetStreamState
from glam_worker.settings import Settings
from glam_worker.testing.factory import BenchSettings
from glam_worker.topology.ensure import ensure
from glam_worker.topology.permissions import Role, ack_subjects, roles
from glam_worker.topology.server_config import authorization_block, password_variable, user_of
from glam_worker.topology.specs import STATE
from tests.topology.permitted_server import PASSWORD, User, permitted, soon, soon_so

SERVICE = "shop"
PLACED = "evt.order.placed.v1"
V2_ACKS = "feature_flags { js_ack_fc_v2: true }"


class Order(BaseModel):
    number: int


@dataclass
class Shop:
    """A service whose handlers retry, reject, remember and publish."""

    ack_wait: float = 30.0
    runs: list[tuple[str, int, int]] = field(default_factory=list)
    registry: Registry = field(default_factory=Registry)

    def __post_init__(self) -> None:
        options: dict[str, Any] = {"ack_wait": self.ack_wait, "idempotent": True}

        @self.registry.on(PLACED, Order, retry=RetryPolicy(attempts=3), **options)
        async def ship(order: Order, event: EventContext) -> None:
            self.runs.append(("ship", order.number, event.attempt))
            if event.attempt == 1:
                raise Retry(after=0.01)
            await event.publish("evt.mail.wanted.v1", order)

        @self.registry.on("evt.order.*.v1", Order)
        async def audit(order: Order, event: EventContext) -> None:
            self.runs.append(("audit", order.number, event.attempt))
            raise Reject("not ours")

    def ran(self, handler: str) -> list[int]:
        """The attempts of a handler's runs."""
        return [attempt for name, _, attempt in self.runs if name == handler]


def settings(**given: Any) -> Settings:
    """Those of a worker with a small stream of dead letters."""
    defaults: dict[str, Any] = {"http_port": 0, "dlq_max_bytes": 1 << 22, "shutdown_grace": 2.0}
    return BenchSettings(service=SERVICE, nats_inbox_prefix="_INBOX_shop", **defaults, **given)


def needed(**given: Any) -> dict[str, Role]:
    """The roles of the shop."""
    handlers = Shop().registry.served_by(SERVICE).handlers
    found = roles(handlers, settings(**given), ["evt.mail.wanted.v1"])
    return {role.name: role for role in found}


@dataclass
class Permitted:
    """A server with the printed permissions."""

    url: str
    domain: str | None = None

    def settings(self, role: str) -> Settings:
        """Those of a user."""
        return settings(
            nats_servers=self.url,
            nats_user=f"{SERVICE}-{role}",
            nats_password=PASSWORD,
            js_domain=self.domain,
        )

    @contextlib.asynccontextmanager
    async def user(self, role: str) -> AsyncIterator[User]:
        """A connection with the permissions of a role."""
        user = User(role)
        async with user.client:
            await user.client.connect(**self.settings(role).connection(), timeout=10)
            yield user

    async def prepare(self, ack_wait: float = 30.0) -> None:
        """Create streams and durables as the user who deploys."""
        async with self.user("deploy") as deploy:
            admin = JetStreamAdmin(deploy.client)
            registry = Shop(ack_wait).registry.served_by(SERVICE)
            state = JetStreamState(deploy.client, STATE)
            await ensure(admin, state, registry, self.settings("deploy"))
            assert deploy.denied == []


KINDS = [("", None), (V2_ACKS, None), (V2_ACKS, "hub")]


@pytest.fixture(params=KINDS, ids=["acks of 9 tokens", "acks of 12 tokens", "a domain"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Permitted]:
    """Starts from the text that the command prints."""
    more, domain = request.param
    found = list(needed(js_domain=domain).values())
    variables = [password_variable(SERVICE, role) for role in found]
    block = authorization_block(SERVICE, found)
    with permitted(tmp_path, block, variables, more, domain) as url:
        yield Permitted(url, domain)


PLAIN = pytest.mark.parametrize("server", KINDS[:1], indirect=True, ids=[""])


async def test_a_worker_does_all_of_its_work_with_what_is_printed(server: Permitted) -> None:
    """Runs, a retry, a letter, an idempotent handler, an event of its own, stopping: no denial."""
    await server.prepare()
    shop = Shop()
    worker = Worker(shop.registry, server.settings("worker"))
    denied: list[str] = []
    worker.client.watch_denials(lambda denial: denied.append(denial.operation))
    await worker.start()
    async with server.user("publisher") as publisher:
        publish = EventPublisher(publisher.client, "front")
        await publish.publish_event(PLACED, Order(number=1), event_id="one")
        await soon(lambda: shop.ran("ship") == [1, 2] and shop.ran("audit") == [1], "the runs")
        async with server.user("operator") as operator:

            async def kept(stream: str) -> int:
                info = await operator.client.api(f"STREAM.INFO.{stream}")
                return int(info["state"]["messages"])

            async def settled() -> bool:
                return await kept("GLAM_DLQ") == 1 and await kept("GLAM_RETRY") == 0

            await soon_so(settled, "the letter, and nothing parked")
            assert await kept("GLAM_EVENTS") == 2
            ready = worker.not_ready()
            await worker.stop()
            waiting = [
                await operator.client.api(f"CONSUMER.INFO.{stream}.{durable}")
                for stream, durable in (
                    ("GLAM_EVENTS", "shop-ship"),
                    ("GLAM_EVENTS", "shop-audit"),
                    ("GLAM_RETRY", "shop-ship-lane"),
                )
            ]
    assert ready == []
    assert denied == []
    assert [info["num_pending"] + info["num_ack_pending"] for info in waiting] == [0, 0, 0]


@PLAIN
async def test_what_another_worker_died_of_is_noted_and_run(server: Permitted) -> None:
    """A delivery that was nobody's end is a suspect; the ledger takes it, without a denial."""
    await server.prepare(ack_wait=0.5)
    shop = Shop(ack_wait=0.5)
    worker = Worker(shop.registry, server.settings("worker"))
    async with server.user("publisher") as publisher, server.user("worker") as dying:
        publish = EventPublisher(publisher.client, "front")
        await publish.publish_event(PLACED, Order(number=1), event_id="one")
        inbox = dying.client.client.new_inbox()
        taken = await dying.client.client.subscribe(inbox)
        await dying.client.client.publish(
            "$JS.API.CONSUMER.MSG.NEXT.GLAM_EVENTS.shop-ship", b'{"batch": 1}', reply=inbox
        )
        await taken.next_msg(timeout=20)
        denied: list[str] = []
        worker.client.watch_denials(lambda denial: denied.append(denial.operation))
        await worker.start()
        await soon(lambda: shop.ran("ship") == [1, 2], "the suspect's runs")
        await worker.stop()
    async with server.user("operator") as operator:
        ledger = await operator.client.api("STREAM.INFO.KV_GLAM_LEDGER")
    assert denied == []
    assert ledger["state"]["last_seq"] > 0


FORBIDDEN = {
    "worker": [
        *(PLACED, "cmd.order.place", "dlq.mail.wanted.v1", "retry.due.shop.ship"),
        *("retry.wait.other.ship.x", "$KV.OTHERS.key", "$JS.ACK.GLAM_EVENTS.other-d.1.1.1.1.0"),
        *("$JS.API.STREAM.DELETE.GLAM_EVENTS", "$JS.API.STREAM.PURGE.GLAM_EVENTS"),
        *("$JS.API.STREAM.CREATE.ANY", "$JS.API.STREAM.UPDATE.GLAM_RETRY"),
        *("$JS.API.STREAM.MSG.DELETE.GLAM_DLQ", "$JS.API.CONSUMER.DELETE.GLAM_EVENTS.shop-ship"),
        *("$JS.API.CONSUMER.CREATE.GLAM_EVENTS.shop-ship", "$JS.API.CONSUMER.CREATE.GLAM_EVENTS"),
        "$JS.API.CONSUMER.MSG.NEXT.GLAM_EVENTS.other-d",
        "$JS.API.CONSUMER.PAUSE.GLAM_EVENTS.shop-ship",
    ],
    "deploy": [
        *(PLACED, "$JS.ACK.GLAM_EVENTS.shop-ship.1.1.1.1.0", "$JS.API.STREAM.PURGE.GLAM_EVENTS"),
        *("$JS.API.STREAM.DELETE.GLAM_EVENTS", "$JS.API.CONSUMER.MSG.NEXT.GLAM_EVENTS.shop-ship"),
        "$JS.API.CONSUMER.DELETE.GLAM_EVENTS.other-d",
    ],
    "operator": [
        *(PLACED, "$JS.ACK.GLAM_EVENTS.shop-ship.1.1.1.1.0", "$JS.API.STREAM.PURGE.GLAM_DLQ"),
        *("$JS.API.STREAM.DELETE.GLAM_DLQ", "$JS.API.STREAM.MSG.DELETE.GLAM_EVENTS"),
        "$JS.API.CONSUMER.DELETE.GLAM_EVENTS.shop-ship",
    ],
    "publisher": [
        *("evt.mail.wanted.v1", "dlq.order.placed.v1", "retry.due.shop.ship"),
        *("$JS.API.STREAM.INFO.GLAM_EVENTS", "$JS.API.CONSUMER.MSG.NEXT.GLAM_EVENTS.shop-ship"),
        "$JS.ACK.GLAM_EVENTS.shop-ship.1.1.1.1.0",
    ],
}


@pytest.mark.parametrize("role", FORBIDDEN)
@PLAIN
async def test_everything_else_is_denied(server: Permitted, role: str) -> None:
    """No user may do another's work, and none hears events or another's answers."""
    async with server.user(role) as user:
        allowed = [subject for subject in FORBIDDEN[role] if await user.may(subject)]
        heard = [
            subject
            for subject in (">", "evt.>", "dlq.>", "_INBOX.>", "$JS.EVENT.>", "$KV.>")
            if await user.may_hear(subject)
        ]
    assert allowed == []
    assert heard == []


@PLAIN
async def test_a_start_that_would_have_to_create_says_what_is_denied(server: Permitted) -> None:
    """Without the deploy's step before it, the worker ends, names that step and the request."""
    worker = Worker(Shop().registry, server.settings("worker"))
    with pytest.raises(TopologyError, match=r"apply MODULE.*STREAM\.CREATE\.GLAM_EVENTS"):
        await worker.start()


# --- pure ---


def _served(registry: Registry) -> Sequence[Handler]:
    return registry.served_by(SERVICE).handlers


def published(role: Role) -> list[str]:
    """The subjects a role may publish to."""
    return [grant.subject for grant in role.publish]


def test_no_user_may_purge_or_delete_streams() -> None:
    """Nobody needs it, so nobody has it."""
    subjects = [subject for role in needed().values() for subject in published(role)]
    assert [one for one in subjects if "PURGE" in one or "STREAM.DELETE" in one] == []
    assert [one for one in subjects if one in (">", "$JS.>", "$JS.API.>", "evt.>")] == []


def test_only_the_worker_may_settle() -> None:
    """An ack of somebody else loses an event."""
    settling = {
        name
        for name, role in needed().items()
        if any(one.startswith("$JS.ACK") for one in published(role))
    }
    assert settling == {"worker"}


def test_settings_are_in_the_subjects() -> None:
    """Stream names, the domain and the inbox prefix are those of the settings."""
    given = {"events_stream": "EV", "retry_stream": "RT", "dlq_stream": "DL", "js_domain": "hub"}
    found = needed(**given)
    subjects = published(found["worker"])
    assert "$JS.hub.API.CONSUMER.MSG.NEXT.EV.shop-ship" in subjects
    assert "$JS.hub.API.CONSUMER.MSG.NEXT.RT.shop-ship-lane" in subjects
    assert "$JS.hub.API.STREAM.INFO.DL" in subjects
    assert "$JS.API.CONSUMER.MSG.NEXT.EV.shop-ship" in subjects  # as the domain's servers map it
    assert "$JS.hub.API.$KV.GLAM_STATE.>" in subjects
    assert "$KV.GLAM_STATE.>" in subjects  # as they map it
    assert "$JS.hub.API.STREAM.INFO.EV" in published(found["publisher"])
    assert [grant.subject for grant in found["worker"].subscribe] == ["_INBOX_shop.>"]


def test_acks_with_domain_and_account_are_covered() -> None:
    """What a server with a domain writes as reply subject is allowed too."""
    short, long = ack_subjects("EV", "shop-ship")
    assert covers(short, "$JS.ACK.EV.shop-ship.1.2.3.4.0")
    assert covers(long, "$JS.ACK.hub.AbCdEf.EV.shop-ship.1.2.3.4.0.x")
    assert covers(long, "$JS.ACK._.AbCdEf.EV.shop-ship.1.2.3.4.0.x")
    assert not covers(long, "$JS.ACK.EV.other.1.2.3.4.0")


def test_a_subject_that_only_the_server_knows_gives_any_stream() -> None:
    """Without ``stream=``, a subject of no stream of ours may lie in any; the durable is named."""
    registry = Registry()

    @registry.on("orders.placed", Order)
    async def ship(order: Order) -> None: ...

    (worker, *_) = roles(_served(registry), settings())
    assert "$JS.API.CONSUMER.MSG.NEXT.*.shop-ship" in published(worker)
    assert "dlq.placed" in published(worker)


def test_former_names_may_be_taken_over_from() -> None:
    """``previously`` lets old durables be ended by who deploys, and their letters be replayed."""
    registry = Registry()

    @registry.on(PLACED, Order, previously=("send",))
    async def ship(order: Order) -> None: ...

    found = {role.name: published(role) for role in roles(_served(registry), settings())}
    for name in ("GLAM_EVENTS.shop-send", "GLAM_RETRY.shop-send-lane"):
        assert f"$JS.API.CONSUMER.DELETE.{name}" in found["deploy"]
        assert f"$JS.API.CONSUMER.CREATE.{name}" not in found["deploy"]
    assert "retry.due.shop.send" in found["operator"]
    assert not any("shop-send" in one for one in found["worker"])


def test_names_of_users_and_variables() -> None:
    """Each password has a variable that a shell can set."""
    role = needed()["worker"]
    assert user_of("my-shop", role) == "my-shop-worker"
    assert password_variable("my-shop", role) == "MY_SHOP_WORKER_PASSWORD"
