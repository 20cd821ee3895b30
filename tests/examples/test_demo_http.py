"""``make demo-http``: what it prints is what happened."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo_process import ROOT
from examples.front_door.demo.trace import lines
from glam_worker.dev.server import EmbeddedServer


def demo(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples.front_door.demo", "--folder", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(folder: Path) -> str:
    """What a demo without a terminal printed."""
    process = demo(folder)
    output, errors = process.communicate(timeout=55)
    assert 0 == process.returncode, output + errors
    return output


def traced(shown: str, title: str) -> list[tuple[str, str]]:
    """(where, what) of the steps below the title."""
    below = shown.partition(title)[2].partition("\n\n")[0]
    return [
        (found[1], found[2])
        for line in below.splitlines()
        if (found := re.fullmatch(r" +\+\d+ ms  (\S+) +(.+)", line))
    ]


def test_every_answer_is_the_one_that_was_asked_for(shown: str) -> None:
    """Accepted, redelivered at once and late, refused twice, not accepted, accepted, listed."""
    statuses = re.findall(r"^  (?:PUT|POST|GET) +(\S+) +(\d{3}) ", shown, re.MULTILINE)

    webhook, shop = "/webhooks/shopify", "/v1/shop"
    assert [
        (shop, "200"),
        *[(webhook, "200")] * 3,
        (webhook, "401"),
        (shop, "401"),
        (webhook, "503"),
        (webhook, "200"),
        ("/internal/low-balances", "202"),
        ("/v1/webhooks?limit=1", "200"),
    ] == statuses
    assert "INVALID_WEBHOOK_SIGNATURE" in shown
    assert "UNAUTHORIZED" in shown
    assert "Retry-After: 5" in shown


def test_a_redelivered_webhook_is_stored_once_and_handled_once(shown: str, folder: Path) -> None:
    """Both redeliveries have the event id of the first; the worker ran its handler once."""
    ids = re.findall(r"/webhooks/shopify +200 .* event_id (\S+)", shown)
    runs = [
        line["message"]
        for line in lines(folder / "worker.log")
        if line["logger"] == "glam_worker.events" and line.get("event_id") == ids[0]
    ]

    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert ["handled", "handled before: acked without a run"] == runs
    assert ["stored: 1 time", "stored: 2 times"] == re.findall(r"stored: .*", shown)


def test_the_trace_goes_from_the_request_to_the_last_event(shown: str) -> None:
    """The request, its event, the handler, the event that it published, and that one's."""
    steps = traced(shown, "One id, ")

    assert ("front-door", "PUT /v1/shop") == steps[0]
    stored = [what for where, what in steps if where == "broker"]
    events = [
        re.fullmatch(r"stores (\S+) as \d+: event (\w+)(?:, because of (\w+))?", what)
        for what in stored
    ]
    first, second, third = (found.groups() for found in events if found)
    assert ["evt.merchant.created.v1", "evt.catalog.sync.started.v1"] == [first[0], second[0]]
    assert "evt.catalog.sync.completed.v1" == third[0]
    assert (None, first[1], second[1]) == (first[2], second[2], third[2])
    assert ("storefront", f"onboard on {first[1]}, run 1: handled") in steps
    assert ("storefront", f"sync_catalog on {second[1]}, run 1: handled") == steps[-1]


def test_the_trace_of_a_retry_has_both_runs(shown: str) -> None:
    """The mail that is refused first is sent by the second run, under the same id."""
    runs = [what for where, what in traced(shown, "And corr_") if where == "storefront"]

    assert re.fullmatch(r"mail_warning on \w+, run 1: failed, runs again in .+", runs[0])
    assert re.fullmatch(r"mail_warning on \w+, run 2: handled", runs[-1])


def test_what_it_points_to_is_there(shown: str, folder: Path) -> None:
    """The places it names exist."""
    places = re.findall(r"^  (\S+)", shown.partition("Where to look next")[2], re.MULTILINE)

    assert 5 == len(places)
    assert [] == [place for place in places if not (ROOT / place).is_file()]


def test_it_stops_cleanly_when_told_to(tmp_path: Path) -> None:
    """On SIGTERM it stops both services and its server, and exits with 130."""
    process = demo(tmp_path)
    assert process.stdout is not None
    assert any("PUT  /v1/shop" in line for line in iter(process.stdout.readline, ""))
    process.send_signal(signal.SIGTERM)

    _, errors = process.communicate(timeout=40)

    assert 130 == process.returncode
    assert "demo: stopped" == errors.strip().splitlines()[-1]
    assert '"message": "stopped"' in (tmp_path / "worker.log").read_text()
    assert "Finished server process" in (tmp_path / "front-door.log").read_text()
    with EmbeddedServer(tmp_path / "nats") as server:  # its store is free again
        assert server.url
