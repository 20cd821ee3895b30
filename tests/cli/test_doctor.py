"""``glam-worker doctor``: findings in words, as JSON, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_worker.dev.server import EmbeddedServer
from tests.cli.command import Ended, glam, running


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server that writes to its disk before it acknowledges."""
    config = {"jetstream": {"sync_interval": "always"}}
    with EmbeddedServer(tmp_path / "synced", config=config) as started:
        yield started


def doctor(server: EmbeddedServer, cwd: Path, *arguments: str) -> Ended:
    """The command, for one server."""
    return glam("doctor", *arguments, "--servers", server.url, cwd=cwd)


def test_a_worker_on_a_server_that_syncs_is_healthy(synced: EmbeddedServer, project: Path) -> None:
    """No finding, exit code 0, and what was looked at in one line."""
    env = {"GLAM_HTTP_PORT": "0"}
    with running("run", "shop.handlers", "--servers", synced.url, cwd=project, env=env) as worker:
        worker.says("working 2 handlers")
        ended = doctor(synced, project, "--monitor", synced.monitor_url)
    assert (ended.code, ended.err) == (0, "")
    (line,) = ended.out.splitlines()
    assert line.startswith("0 errors, 0 warnings, 0 notes; looked at nats-server 2.")
    assert line.endswith(" streams and 4 durables of 1 service")


def test_what_can_lose_events_ends_with_1(server: EmbeddedServer, tmp_path: Path) -> None:
    """An error is printed with its reason and what to do, without colour in a pipe."""
    ended = doctor(server, tmp_path, "--monitor", server.monitor_url)
    assert ended.code == 1
    first, why, remedy, *_ = ended.out.splitlines()
    assert first.startswith(f"error: the server at {server.monitor_url} writes to its disk")
    assert first.endswith("[sync-interval]")
    assert "power failure" in why
    assert "sync_interval: always" in remedy
    assert "\x1b" not in ended.out


def test_without_monitor_the_disk_is_only_noted(synced: EmbeddedServer, tmp_path: Path) -> None:
    """What was not looked at is said and is no error."""
    ended = doctor(synced, tmp_path)
    assert ended.code == 0
    assert "info: the server does not tell its sync_interval" in ended.out


def test_json_is_one_document(synced: EmbeddedServer, tmp_path: Path) -> None:
    """Each finding has its parts; the counts say what the exit code says."""
    ended = doctor(synced, tmp_path, "--json", "--service", "nobody")
    said = json.loads(ended.out)
    assert said["counts"] == {"error": 0, "warning": 1, "info": 1}
    assert said["service"] == "nobody"
    assert {one["check"] for one in said["findings"]} == {"nothing-here", "sync-interval"}
    parts = {"severity", "check", "thing", "found", "reason", "remedy"}
    assert all(one.keys() == parts for one in said["findings"])


@pytest.mark.parametrize("url", ["nats:8222", "ftp://nats:8222", "http://", "http://nats:x"])
def test_a_wrong_monitoring_address_is_wrong_usage(tmp_path: Path, url: str) -> None:
    """It is named before anything is asked."""
    ended = glam("doctor", "--monitor", url, "--servers", "nats://127.0.0.1:9", cwd=tmp_path)
    assert ended.code == 2
    assert f"--monitor: {url!r} is not an address such as http://nats:8222" in ended.err


@pytest.mark.parametrize("url", ["http://me:s3cret@nats:8222", "http://me:s3cret@nats:x"])
def test_a_password_in_a_monitoring_address_is_not_repeated(tmp_path: Path, url: str) -> None:
    """It is of no use there, and what is said of it does not show it."""
    ended = glam("doctor", "--monitor", url, "--servers", "nats://127.0.0.1:9", cwd=tmp_path)
    assert ended.code == 2
    assert "nats" in ended.err
    assert "s3cret" not in ended.err + ended.out


def test_a_monitor_that_does_not_answer_is_a_warning(
    synced: EmbeddedServer, tmp_path: Path
) -> None:
    """The rest is looked at all the same."""
    ended = doctor(synced, tmp_path, "--monitor", "http://127.0.0.1:9")
    assert ended.code == 0
    assert "warning: the server at http://127.0.0.1:9 cannot be read" in ended.out


def test_no_server_is_named(tmp_path: Path) -> None:
    """The attempt is bounded; the exit code is 1."""
    env = {"GLAM_CONNECT_TIMEOUT": "0.5"}
    ended = glam("doctor", "--servers", "nats://127.0.0.1:9", cwd=tmp_path, env=env)
    assert ended.code == 1
    assert "nats://127.0.0.1:9" in ended.err
    assert ended.out == ""
