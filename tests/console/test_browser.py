"""The console's page in a real browser, served by the real command."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from glam_shared.messaging import JetStreamClient
from tests.console.conftest import TOKEN
from tests.operate.letter_writing import Letters, letter
from tests.operate.retry_stream import replayed, with_lane

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium: apt-get install chromium"),
]


@pytest.fixture
async def url(nats_url: str) -> AsyncIterator[str]:
    """Where a console of this test's account is."""
    env = os.environ | {"GLAM_CONSOLE_TOKEN": TOKEN}
    command = ("-m", "glam_worker", "console", "--port", "0", "--servers", nats_url)
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE, env=env)
    try:
        yield await _address(process)
    finally:
        process.terminate()
        await process.wait()


async def _address(process: Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    found = re.search(r"http://\S+", line)
    assert found, line
    return found[0]


@pytest.fixture
async def page(request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page of a phone's width; what goes wrong in it fails the test."""
    wrong: list[str] = []
    async with async_playwright() as browsers:
        browser = await browsers.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(
            viewport={"width": 390, "height": 800}, color_scheme=getattr(request, "param", "light")
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.extend(_foreign(asked.url)))
        yield page
        await browser.close()
    assert [] == wrong


def _foreign(url: str) -> list[str]:
    return [] if url.startswith("http://127.0.0.1:") else [url]


@pytest.mark.parametrize("page", ["dark"], indirect=True)
async def test_list_show_and_replay(
    url: str, page: Page, client: JetStreamClient, letters: Letters
) -> None:
    """
    From the list over the group to a letter with payload and traceback; with the token it is
    replayed, after being asked, and gone from the list. All by keyboard where something is done.
    """
    await with_lane(client, "ship")
    await letters.write(letter(1, message="no <b>address</b>"))
    await page.goto(f"{url}#/letters")

    await page.get_by_role("link", name="ValueError").click()
    await page.get_by_role("link", name="GLAM_DLQ:1").click()
    await page.get_by_text("Traceback (most recent call last)").wait_for()
    assert await page.get_by_text('"event_id": "e1"').count()
    assert await page.get_by_text("ValueError: no <b>address</b>").count()
    await _enter_token(page, TOKEN)
    await page.get_by_role("button", name="Replay").focus()
    await page.keyboard.press("Enter")
    await page.get_by_text("will run again in ship").wait_for()
    await page.get_by_role("dialog").get_by_role("button", name="Replay").focus()
    await page.keyboard.press("Enter")

    await page.get_by_text("done, 1 done").wait_for()
    assert 1 == len(await replayed(client))
    assert 0 == await letters.count()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_refused_without_token(url: str, page: Page, letters: Letters) -> None:
    """
    Without the token, or with a wrong one, nothing is done, and the page says why; a question that
    is answered with Cancel does nothing either.
    """
    await letters.write(letter(1))
    await page.goto(f"{url}#/letter/GLAM_DLQ%3A1")

    for token in (None, "wrong" * 10):
        if token is not None:
            await _enter_token(page, token)
        await page.get_by_role("button", name="Drop").click()
        await page.get_by_role("dialog").get_by_role("button", name="Drop").click()
        await page.get_by_text("Refused: this needs the console's token").wait_for()
    await _enter_token(page, TOKEN)
    await page.get_by_role("button", name="Drop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

    assert 1 == await letters.count()


async def test_handlers_are_shown(
    url: str, page: Page, client: JetStreamClient, letters: Letters
) -> None:
    """
    A handler is listed, its page has its charts, and it is paused and resumed from there.
    """
    await with_lane(client, "ship")
    await page.goto(url)

    await page.get_by_role("link", name="ship").click()
    await page.get_by_role("img", name="Rate over the last hour").wait_for()
    await _enter_token(page, TOKEN)
    for verb in ("Pause", "Resume"):
        await page.get_by_role("button", name=verb).click()
        await page.get_by_role("dialog").get_by_role("button", name=verb).click()
        await page.get_by_text(f"ship of shop: {verb.lower()}d").wait_for()


async def _enter_token(page: Page, token: str) -> None:
    await page.get_by_role("button", name=re.compile("token")).click()
    await page.get_by_role("textbox", name="Token").fill(token)
    await page.get_by_role("button", name="Keep it").click()
