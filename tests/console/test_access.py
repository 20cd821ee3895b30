"""Who may look at the console, and who may act."""

from __future__ import annotations

import httpx
import pytest

from glam_worker.console.access import Access
from glam_worker.errors import UsageError
from tests.console.conftest import BEARER, TOKEN

ACTIONS = ["replay", "drop", "handlers/shop/ship/pause", "handlers/shop/ship/resume"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer \u00e4".encode("latin-1")},
    ],
)
async def test_acting_without_the_token(
    web: httpx.AsyncClient, action: str, headers: dict[str, str]
) -> None:
    """
    Whoever does not bring the token can do nothing, and is asked for it.
    """
    answer = await web.post(f"/api/{action}", json={}, headers=headers)

    assert (401, "Bearer") == (answer.status_code, answer.headers["WWW-Authenticate"])


@pytest.mark.parametrize("action", ACTIONS)
async def test_acting_is_off_without_a_token(looking: httpx.AsyncClient, action: str) -> None:
    """
    A console that was started without a token does nothing for anybody, and says how to change it.
    """
    answer = await looking.post(f"/api/{action}", json={}, headers=BEARER)

    assert 403 == answer.status_code
    assert "GLAM_CONSOLE_TOKEN" in answer.json()["error"]
    assert not (await looking.get("/api/overview")).json()["acting"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9465", "127.0.0.1.evil.example", ""]
)
async def test_another_name_of_this_machine(web: httpx.AsyncClient, host: str) -> None:
    """
    A page of another site, whose name was made to point here, cannot read without the token.
    """
    assert 401 == (await web.get("/api/overview", headers={"Host": host})).status_code
    known = await web.get("/api/overview", headers={"Host": host, **BEARER})
    assert 200 == known.status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:9465"])
async def test_reading_on_this_machine(web: httpx.AsyncClient, host: str) -> None:
    """
    Reading is open on this machine.
    """
    assert 200 == (await web.get("/api/overview", headers={"Host": host})).status_code


async def test_nothing_is_fetched_from_elsewhere(web: httpx.AsyncClient) -> None:
    """
    The page may load nothing from other sites, nor be framed by them.
    """
    page = await web.get("/")

    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "http" not in page.text.replace("http-equiv", "")


def test_a_short_token() -> None:
    """
    A token that can be guessed is refused at the start.
    """
    with pytest.raises(UsageError, match="GLAM_CONSOLE_TOKEN has 31 bytes; 32 or more"):
        Access("x" * 31, "127.0.0.1")


def test_other_machines_need_a_token() -> None:
    """
    A console that other machines can reach does not start without a token; with one, reading
    needs it, too.
    """
    with pytest.raises(UsageError, match="reading needs a token"):
        Access(None, "0.0.0.0")

    access = Access(TOKEN, "0.0.0.0")
    assert not access.may_read(None, "127.0.0.1")
    assert access.may_read(f"Bearer {TOKEN}", "worker.example")
