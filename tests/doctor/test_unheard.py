"""The doctor where buckets can be read and not written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glam_shared.messaging import JetStreamClient
from glam_worker.dev.server import EmbeddedServer
from glam_worker.doctor.checks import examine
from glam_worker.doctor.gathering import gather
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.state import JetStreamState
from glam_worker.topology.ensure import ensure
from glam_worker.topology.specs import STATE
from tests.topology.test_permissions import SERVICE, Shop, settings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """Account A uses the streams of account B, and nobody thought of its buckets."""
    shared = ("$JS.API.>", "$JS.ACK.>", "retry.>", "dlq.>", "evt.>")
    imports: list[dict[str, Any]] = [{"service": {"account": "B", "subject": s}} for s in shared]
    imports[0]["to"] = "$JS.other.API.>"
    exports = [{"service": s, "response_type": "stream"} for s in shared]
    accounts = {
        "A": {"users": [{"user": "a", "password": "a"}], "imports": imports},
        "B": {
            "jetstream": "enabled",
            "users": [{"user": "b", "password": "b"}],
            "exports": exports,
        },
    }
    with EmbeddedServer(tmp_path, config={"accounts": accounts}) as server:
        yield server


async def test_a_bucket_that_nobody_listens_for_is_an_error(server: EmbeddedServer) -> None:
    """What an account import does not pass on is named, bucket by bucket, and nothing else is."""
    registry = Shop().registry.served_by(SERVICE)
    async with JetStreamClient() as owner, JetStreamClient() as user:
        await owner.connect(server.url, user="b", password="b")
        await ensure(JetStreamAdmin(owner), JetStreamState(owner, STATE), registry, settings())
        await user.connect(server.url, user="a", password="a", domain="other")
        seen = await gather(user, settings(js_domain="other"), None)
    errors = {one.thing: one.found for one in examine(seen) if one.severity == "error"}
    assert errors == {
        f"bucket GLAM_{name}": f"cannot be written: nothing answers on $KV.GLAM_{name}.doctor"
        for name in ("CLAIMS", "LEDGER", "STATE")
    }
