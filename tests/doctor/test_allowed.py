"""The doctor as users who may not do everything."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from glam_worker.doctor.checks import examine
from glam_worker.doctor.gathering import gather
from glam_worker.doctor.snapshot import Snapshot
from glam_worker.topology.permissions import Grant, Role
from glam_worker.topology.server_config import authorization_block, password_variable
from tests.topology.permitted_server import permitted
from tests.topology.test_permissions import SERVICE, Permitted, needed


def without(role: Role, *subjects: str) -> Role:
    """The role, without some of its permissions."""
    kept = [grant for grant in role.publish if grant.subject not in subjects]
    assert len(kept) == len(role.publish) - len(subjects)
    return replace(role, publish=tuple(kept))


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *changed: Role, domain: str | None = None
) -> AsyncIterator[Permitted]:
    """A server with the service's streams, for whose users some roles are changed."""
    found = needed(js_domain=domain) | {role.name: role for role in changed}
    block = authorization_block(SERVICE, list(found.values()))
    variables = [password_variable(SERVICE, role) for role in found.values()]
    with permitted(folder, block, variables, domain=domain) as url:
        server = Permitted(url, domain)
        await server.prepare()
        yield server


async def look(server: Permitted, role: str) -> Snapshot:
    """What the doctor sees as that user."""
    async with server.user(role) as user:
        return await gather(user.client, server.settings(role), None)


def said(seen: Snapshot) -> list[str]:
    """The findings about permissions."""
    concerned = ("permissions", "not-looked-at")
    return [f"{one.severity} {one.found}" for one in examine(seen) if one.check in concerned]


async def test_a_worker_may_all_that_is_tried(tmp_path: Path) -> None:
    """With what `permissions` prints, no try of the worker's requests is denied."""
    async with serving(tmp_path) as server:
        seen = await look(server, "worker")
    assert seen.tries.denied == ()
    assert {one.name for one in seen.ours} == {
        *("shop-ship", "shop-ship-lane", "shop-audit", "shop-audit-lane")
    }
    assert "retry.wait.shop.ship.doctor.0.0" in seen.tries.allowed
    assert [one for one in said(seen) if one.startswith("error")] == []


MISSING = [
    *("$JS.ACK.GLAM_EVENTS.shop-ship.>", "retry.wait.shop.ship.>", "dlq.order.*.v1"),
    *("$KV.GLAM_STATE.>", "$JS.API.STREAM.INFO.GLAM_DLQ"),
    "$JS.API.CONSUMER.MSG.NEXT.GLAM_RETRY.shop-ship-lane",
]


@pytest.mark.parametrize("subject", MISSING)
async def test_a_missing_permission_is_named(tmp_path: Path, subject: str) -> None:
    """What a worker would only see as silence is an error with the subject to be allowed."""
    async with serving(tmp_path, without(needed()["worker"], subject)) as server:
        seen = await look(server, "worker")
    errors = [one for one in said(seen) if one.startswith("error")]
    assert errors[:1] == [f"error may not publish to {subject}"]


async def test_a_missing_permission_is_named_in_a_domain(tmp_path: Path) -> None:
    """The domain's server names another subject than the one that was sent: it has mapped it."""
    pull = "CONSUMER.MSG.NEXT.GLAM_RETRY.shop-ship-lane"
    whole = needed(js_domain="hub")["worker"]
    role = without(whole, f"$JS.hub.API.{pull}", f"$JS.API.{pull}")
    async with serving(tmp_path, role, domain="hub") as server:
        seen = await look(server, "worker")
    errors = [one for one in said(seen) if one.startswith("error")]
    assert errors == [f"error may not publish to $JS.hub.API.{pull}"]
    assert seen.unanswered == ()


async def test_a_bucket_that_may_not_be_written_is_named_in_a_domain(tmp_path: Path) -> None:
    """Named is what is sent through a leaf node; the domain's server sees the key as it is."""
    whole = needed(js_domain="hub")["worker"]
    role = without(whole, "$JS.hub.API.$KV.GLAM_STATE.>", "$KV.GLAM_STATE.>")
    async with serving(tmp_path, role, domain="hub") as server:
        seen = await look(server, "worker")
    errors = [one for one in said(seen) if one.startswith("error")]
    assert errors == ["error may not publish to $JS.hub.API.$KV.GLAM_STATE.>"]


async def test_an_operator_sees_all_and_is_told_to_be_no_worker(tmp_path: Path) -> None:
    """Whoever may neither pull nor settle is not blamed for it."""
    async with serving(tmp_path) as server:
        seen = await look(server, "operator")
    assert said(seen) == ["info may neither pull nor settle: it is no worker's"]


async def test_who_may_do_nothing_is_told_what_was_not_looked_at(tmp_path: Path) -> None:
    """A user without any permission of the API gets the requests that were denied."""
    nobody = replace(needed()["publisher"], publish=(Grant("evt.>", "events"),))
    async with serving(tmp_path, nobody) as server:
        seen = await look(server, "publisher")
    (only,) = said(seen)
    assert only.startswith("info may not publish to $JS.API.INFO, nor publish to $JS.API.STREAM.")
    assert not any(one.severity == "error" for one in examine(seen))
