"""Which address a request comes from."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from glam_shared.api import HttpSettings, RequestContextDep, setup_middleware
from glam_shared.api.client_address import client_address, parse_networks
from glam_shared.errors import ConfigurationError

TRUSTED = parse_networks("10.0.0.0/8, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.7", "10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, unknown, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["<script>"], "10.0.0.1"),
        ("10.0.0.1", ["", ",,"], "10.0.0.1"),
        ("testclient", ["1.1.1.1"], "testclient"),
        (None, ["1.1.1.1"], None),
    ],
)
def test_forwarded_for_is_read_from_the_right(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    """The last stranger before our proxies is the client; what is to its left is hearsay."""
    assert expected == client_address(peer, forwarded, TRUSTED)


def test_a_network_that_cannot_be_read_is_an_error_at_start_up() -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=r"GLAM_TRUSTED_PROXIES.*10.0.0.1/8"):
        setup_middleware(
            FastAPI(), service_name="x", settings=HttpSettings(trusted_proxies="10.0.0.1/8")
        )


@pytest.mark.parametrize(("peer", "address"), [("10.0.0.1", "1.2.3.4"), ("8.8.8.8", "8.8.8.8")])
async def test_the_request_context_in_short(
    connect: Any, monkeypatch: pytest.MonkeyPatch, peer: str, address: str
) -> None:
    """Ids, method, path, content type and the address behind trusted proxies."""
    monkeypatch.setenv("GLAM_TRUSTED_PROXIES", "10.0.0.0/8")
    app = FastAPI()
    setup_middleware(app, service_name="x")

    @app.post("/items/{item}")
    async def items(item: str, context: RequestContextDep) -> RequestContextDep:
        return context

    answer = await connect(app, peer=peer).post(
        "/items/7",
        headers={"X-Forwarded-For": "1.2.3.4", "X-Correlation-ID": "c1"},
        json={},
    )

    assert {
        "correlation_id": "c1",
        "method": "POST",
        "path": "/items/7",
        "content_type": "application/json",
        "ip_client": address,
    } == answer.json()


async def test_the_dependencies_work_without_the_middleware(connect: Any) -> None:
    """An application that lacks setup_middleware still gets a context with an id."""
    app = FastAPI()

    @app.get("/")
    async def root(context: RequestContextDep) -> str:
        return context.correlation_id

    assert (await connect(app).get("/")).json().startswith("corr_")
