"""What comes back of pull requests that end."""

from __future__ import annotations

import json
import time

import pytest

from glam_worker.jetstream.requests import EXPIRES, HEARTBEAT, OpenRequests


def test_a_request_names_itself_and_its_bounds() -> None:
    """Each request has a reply subject of its own and says batch, bytes, expiry and heartbeat."""
    requests = OpenRequests(2048)

    (first, body), (second, _) = requests.new("inbox", 10), requests.new("inbox", 5)

    assert first != second
    assert json.loads(body) == {
        "batch": 10,
        "max_bytes": 2048,
        "expires": int(EXPIRES * 1e9),
        "idle_heartbeat": int(HEARTBEAT * 1e9),
    }


@pytest.mark.parametrize(
    ("headers", "unsent"),
    [
        ({"Nats-Pending-Messages": "2"}, 2),
        ({"Nats-Pending-Messages": "0"}, 0),
        ({"Description": "Batch Completed"}, 0),
        ({"Description": "Request Timeout"}, 10),
        ({"Nats-Pending-Messages": "many"}, 10),
    ],
)
def test_an_ended_request_gives_back_what_did_not_come(
    headers: dict[str, str], unsent: int
) -> None:
    """The server's count of what is left is believed; a completed batch has nothing left."""
    requests = OpenRequests(2048)
    reply, _ = requests.new("inbox", 10)

    assert requests.ended(reply, headers) == unsent
    assert len(requests) == 0


def test_a_status_of_an_unknown_request_gives_nothing_back() -> None:
    """A request is credited once: a second status of it changes nothing."""
    requests = OpenRequests(2048)
    reply, _ = requests.new("inbox", 10)
    requests.ended(reply, {})

    assert requests.ended(reply, {}) == 0


def test_requests_that_ended_unheard_are_forgotten() -> None:
    """A request past its expiry and two heartbeats is void, said once when none other is open."""
    requests = OpenRequests(2048)
    requests.new("inbox", 10)
    now = time.monotonic()

    assert not requests.forget(now + EXPIRES)
    assert requests.forget(now + EXPIRES + 2 * HEARTBEAT + 1)
    assert not requests.forget(now + 1000)
