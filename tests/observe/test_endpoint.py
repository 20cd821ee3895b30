"""The worker's HTTP endpoint."""

from __future__ import annotations

import json
import select
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from glam_worker.errors import EndpointError
from glam_worker.observe.endpoint import Endpoint, Probes
from tests.dev.waiting import until

REASONS: list[str] = []


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint whose readiness is what the test puts into ``REASONS``."""
    REASONS.clear()
    opened = Endpoint("127.0.0.1", 0, Probes(lambda: b"a_metric 1\n", list, lambda: list(REASONS)))
    yield opened
    opened.close()


def get(endpoint: Endpoint, path: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{endpoint.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_probes_answer(endpoint: Endpoint) -> None:
    """The three paths answer 200; readiness and health as JSON."""
    assert get(endpoint, "/metrics") == (200, "a_metric 1\n")
    assert get(endpoint, "/healthz") == (200, json.dumps({"status": "healthy", "reasons": []}))
    assert get(endpoint, "/readyz?x=1") == (200, json.dumps({"status": "ready", "reasons": []}))


def test_reasons_make_it_unready(endpoint: Endpoint) -> None:
    """Any reason answers 503 and is told."""
    REASONS.append("consumer shop-place is gone")

    status, body = get(endpoint, "/readyz")

    assert status == 503
    assert json.loads(body)["reasons"] == ["consumer shop-place is gone"]


def test_another_path_names_the_paths(endpoint: Endpoint) -> None:
    """A wrong path is 404 and says which there are."""
    status, body = get(endpoint, "/")

    assert status == 404
    assert "/readyz" in body


def readable(sockets: list[socket.socket]) -> list[socket.socket]:
    """Those that have something to say, or the end."""
    return select.select(sockets, [], [], 0)[0]


def test_connections_that_hang_do_not_use_the_process_up(endpoint: Endpoint) -> None:
    """Beyond a fixed number of open connections new ones are closed; freed places serve again."""
    hanging = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(40)]
    until(lambda: len(readable(hanging)) >= 8, "some to be closed")
    closed = readable(hanging)
    assert {one.recv(1) for one in closed} == {b""}
    for one in hanging:
        one.close()

    assert len(closed) == 8
    assert get(endpoint, "/healthz")[0] == 200


def test_a_port_in_use_is_named() -> None:
    """A busy port is an error that names it and the way out."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        with pytest.raises(EndpointError, match=rf"127\.0\.0\.1:{port}.*--http-port"):
            Endpoint("127.0.0.1", port, Probes(lambda: b"", list, list))
