"""Dead letters in the console, on a real server."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from glam_shared.messaging import JetStreamClient
from tests.console.conftest import BEARER
from tests.operate.letter_writing import Letters, letter
from tests.operate.retry_stream import replayed, with_lane


async def _finished(web: httpx.AsyncClient, started: httpx.Response) -> dict[str, Any]:
    assert 202 == started.status_code, started.text
    job: dict[str, Any] = started.json()
    while job["state"] == "running":
        job = (await web.get(f"/api/jobs/{job['id']}")).json()
    return job


async def _group(web: httpx.AsyncClient) -> str:
    (found,) = (await web.get("/api/groups")).json()["groups"]
    return str(found["group"])


async def test_groups_and_letters(web: httpx.AsyncClient, letters: Letters) -> None:
    """
    Letters are listed by group, the newest of a group first, and each is shown whole.
    """
    await letters.write_many(letter(number) for number in range(1, 4))

    found = (await web.get("/api/groups")).json()
    group = (await web.get(f"/api/groups/{found['groups'][0]['group']}")).json()
    shown = (await web.get("/api/letters/GLAM_DLQ:2")).json()

    assert (3, [3]) == (found["letters"], [one["count"] for one in found["groups"]])
    assert ["GLAM_DLQ:3", "GLAM_DLQ:2", "GLAM_DLQ:1"] == [one["id"] for one in group["letters"]]
    assert ("e2", {"id": 2}) == (shown["event_id"], shown["payload"]["data"])
    assert "Traceback (most recent call last):\n" in shown["traceback"]


async def test_groups_of_one_handler(web: httpx.AsyncClient, letters: Letters) -> None:
    """
    The list can be of one handler, or of one reason.
    """
    await letters.write(letter(1))
    await letters.write(letter(2, handler="count", reason="exhausted"))

    of_count = (await web.get("/api/groups", params={"handler": "count"})).json()
    rejected = (await web.get("/api/groups", params={"reason": "rejected"})).json()

    assert ["count"] == [one["handler"] for one in of_count["groups"]]
    assert ["ship"] == [one["handler"] for one in rejected["groups"]]


@pytest.mark.parametrize("by", ["letter", "group"])
async def test_replay(
    web: httpx.AsyncClient,
    letters: Letters,
    client: JetStreamClient,
    caplog: pytest.LogCaptureFixture,
    by: str,
) -> None:
    """
    What is replayed lies on the handler's lane and no more among the letters; who asked for it is
    in the log.
    """
    await with_lane(client, "ship")
    letter_id = await letters.write(letter(1))
    chosen = {"letter": letter_id} if by == "letter" else {"group": await _group(web)}

    job = await _finished(web, await web.post("/api/replay", json=chosen, headers=BEARER))

    assert ("done", 1, 0) == (job["state"], job["done"], job["refused"])
    assert 0 == await letters.count()
    assert 1 == len(await replayed(client))
    audit = [record.message for record in caplog.records if record.name.endswith(".audit")]
    assert 2 == len(audit)
    assert f"replay {by}" in audit[0]


async def test_drop(web: httpx.AsyncClient, letters: Letters) -> None:
    """
    A dropped group is gone, and other groups are not.
    """
    await letters.write_many(letter(number) for number in range(1, 4))
    group = await _group(web)
    await letters.write(letter(9, reason="exhausted"))

    job = await _finished(web, await web.post("/api/drop", json={"group": group}, headers=BEARER))

    assert ("done", 3) == (job["state"], job["done"])
    assert 1 == await letters.count()


async def test_a_handler_without_a_lane(
    web: httpx.AsyncClient, letters: Letters, client: JetStreamClient
) -> None:
    """
    What cannot be replayed stays where it is, and the page is told why.
    """
    await with_lane(client)
    letter_id = await letters.write(letter(1))

    job = await _finished(
        web, await web.post("/api/replay", json={"letter": letter_id}, headers=BEARER)
    )

    assert ("done", 0, 1) == (job["state"], job["done"], job["refused"])
    assert "lane" in job["refusals"][0]
    assert 1 == await letters.count()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("letters/GLAM_DLQ:99", 404),
        ("letters/nonsense", 422),
        ("groups/0123456789abcdef", 404),
        ("handlers/shop/nobody", 404),
        ("jobs/7", 404),
    ],
)
async def test_what_is_not_there(
    web: httpx.AsyncClient, letters: Letters, path: str, status: int
) -> None:
    """
    What does not exist is said to be so.
    """
    answer = await web.get(f"/api/{path}")

    assert status == answer.status_code
    assert answer.json()["error"]


@pytest.mark.parametrize("body", [{"group": ""}, {"group": "a"}, {"everything": True}, []])
async def test_a_choice_that_is_too_wide(
    web: httpx.AsyncClient, letters: Letters, body: object
) -> None:
    """
    No request can mean more letters than it names.
    """
    await letters.write(letter(1))

    answer = await web.post("/api/drop", json=body, headers=BEARER)

    assert 422 == answer.status_code
    assert 1 == await letters.count()


async def test_naming_nothing(web: httpx.AsyncClient, letters: Letters) -> None:
    """
    A request that names neither letter nor group does nothing.
    """
    await letters.write(letter(1))

    job = await _finished(web, await web.post("/api/drop", json={}, headers=BEARER))

    assert "failed" == job["state"]
    assert 1 == await letters.count()


async def test_the_server_goes(
    web: httpx.AsyncClient, letters: Letters, client: JetStreamClient
) -> None:
    """
    Without a connection, questions are answered with what is wrong.
    """
    await client.close()

    answer = await web.get("/api/groups")

    assert 503 == answer.status_code
    assert answer.json()["error"]
