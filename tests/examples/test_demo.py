"""``make demo``: what it prints is what happened."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from examples.demo_process import ROOT, DemoFailed
from examples.storefront.demo.numbers import HandlerNumbers, read_numbers, together
from examples.storefront.demo.worker_process import WorkerProcess
from examples.storefront.handlers import TOPICS
from examples.storefront.outside import GREYLISTING_DOMAIN
from examples.storefront.store import CLOSED_DOMAIN
from examples.storefront.traffic import Traffic, traffic
from glam_shared.messaging import Subjects
from glam_shared.messaging.events import CreditBalanceLowPayload, WebhookReceivedPayload
from glam_worker.dev.server import EmbeddedServer

EVENTS = 400
HEADS = ("events", "handled", "retried", "snoozed", "letters", "replayed", "p50", "p99")


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "examples.storefront.demo", "--folder", str(folder)]
    return subprocess.Popen(
        [*command, *arguments],
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
    process = demo(folder, "--events", str(EVENTS))
    output, errors = process.communicate(timeout=55)
    assert 0 == process.returncode, output + errors
    return output


@pytest.fixture(scope="module")
def table(shown: str) -> dict[str, dict[str, float]]:
    """The rows of the table at the end."""
    rows = {}
    for line in shown.partition("What happened")[2].splitlines():
        if found := re.fullmatch(r" *([a-z_]+)((?: +(?:[\d.,]+|-)){8}) *", line):
            cells = found[2].replace("-", "0").replace(",", "").split()
            rows[found[1]] = dict(zip(HEADS, map(float, cells), strict=True))
    return rows


@pytest.fixture
def database(shown: str, folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(folder / "shop.db")) as database:
        yield database


def rows(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def mails_to(made: Traffic, domain: str) -> int:
    addressed = [event for _, event in made.events if isinstance(event, CreditBalanceLowPayload)]
    return sum((event.email or "").endswith(f"@{domain}") for event in addressed)


def of_no_use(made: Traffic) -> int:
    webhooks = [event for _, event in made.events if isinstance(event, WebhookReceivedPayload)]
    return sum(event.topic not in TOPICS for event in webhooks)


def test_the_table_counts_what_the_handlers_stored(
    table: dict[str, dict[str, float]], database: sqlite3.Connection
) -> None:
    """Every handled event left its row, and no row is there for another reason."""
    assert {
        "onboard": rows(database, "shops"),
        "sync_catalog": rows(database, "catalogues"),
        "mail_warning": rows(database, "mails"),
        "take_webhook": rows(database, "webhooks"),
        "count_visit": rows(database, "visits"),
    } == {name: row["handled"] for name, row in table.items() if name != "together"}


def test_the_table_accounts_for_the_traffic(table: dict[str, dict[str, float]]) -> None:
    """Each handler had the events of its subject; together they had all."""
    made = traffic(EVENTS)
    merchants = made.count(Subjects.MERCHANT_CREATED)

    assert {
        "onboard": merchants,
        "sync_catalog": merchants,
        "mail_warning": made.count(Subjects.CREDIT_BALANCE_LOW),
        "take_webhook": made.count(Subjects.WEBHOOK_RECEIVED),
        "count_visit": made.count(Subjects.ANALYTICS_EVENT_TRACKED),
        "together": EVENTS + merchants,
    } == {name: row["events"] for name, row in table.items()}


def test_failures_are_retried_and_dead_lettered_as_the_traffic_asks(
    table: dict[str, dict[str, float]], shown: str
) -> None:
    """Greylisted mails run twice; closed domains spend three attempts, and are replayed."""
    made = traffic(EVENTS)
    greylisted, closed = mails_to(made, GREYLISTING_DOMAIN), mails_to(made, CLOSED_DOMAIN)
    mails, webhooks = table["mail_warning"], table["take_webhook"]

    assert min(greylisted, closed, of_no_use(made), len(made.debris)) > 0
    assert greylisted + 2 * closed == mails["retried"]
    assert (closed, closed) == (mails["letters"], mails["replayed"])
    assert of_no_use(made) + len(made.debris) == webhooks["letters"]
    assert f"{closed} exhausted, {len(made.debris)} invalid, {of_no_use(made)} rejected" in shown
    assert "0 lost" in shown


def test_the_figures_of_time_are_possible(table: dict[str, dict[str, float]], shown: str) -> None:
    """A p99 is no less than its p50, and the slow handler takes as long as its pages do."""
    assert all(0 < row["p50"] <= row["p99"] for row in table.values())
    assert table["sync_catalog"]["p50"] >= 30.0
    assert re.search(r"events/s +[\d,]+ \(\d[\d,]+ first runs", shown)


def test_what_it_points_to_is_there(shown: str, folder: Path) -> None:
    """The places it names exist: the handlers, the README, the log and the database."""
    places = shown.partition("Where to look next")[2]

    for place in ("examples/storefront/handlers.py", "examples/storefront/README.md"):
        assert place in places
        assert (ROOT / place).is_file()
    for name in ("worker.log", "shop.db"):
        assert f"  {folder}/{name}  " in places
        assert (folder / name).is_file()


def test_it_can_be_shown_again(shown: str, folder: Path) -> None:
    """A second demo in the same folder starts from nothing."""
    process = demo(folder, "--events", "100")
    output, errors = process.communicate(timeout=55)

    assert 0 == process.returncode, output + errors
    assert re.search(r"100 published \+ 4 by handlers", output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    """On Ctrl-C and on SIGTERM it stops its worker and its server, and exits with 130."""
    process = demo(tmp_path, "--events", "20000")
    assert process.stdout is not None
    assert _read_until(process.stdout, "handled while they are published")
    process.send_signal(number)

    _, errors = process.communicate(timeout=40)

    assert 130 == process.returncode
    assert "demo: stopped" == errors.strip().splitlines()[-1]
    assert '"message": "stopped"' in (tmp_path / "worker.log").read_text()
    with EmbeddedServer(tmp_path / "nats") as server:  # its store is free again
        assert server.url


def _read_until(stream: IO[str], text: str) -> bool:
    return any(text in line for line in iter(stream.readline, ""))


async def test_a_worker_that_does_not_start_is_shown_with_its_last_lines(tmp_path: Path) -> None:
    """The demo fails with what the worker said."""
    worker = WorkerProcess("ftp://nowhere", tmp_path / "shop.db", tmp_path / "worker.log")

    with pytest.raises(DemoFailed, match="ended at once with 2"):
        await worker.__aenter__()

    assert "GLAM_NATS_SERVERS" in worker.last_lines()


def test_too_few_events_are_wrong_usage(tmp_path: Path) -> None:
    """A demo without some events of each kind would show nothing: exit code 2, and why."""
    process = demo(tmp_path, "--events", "10")
    _, errors = process.communicate(timeout=30)

    assert 2 == process.returncode
    assert "at least 100" in errors


EXPOSITION = """\
# TYPE glam_worker_messages_settled_total counter
glam_worker_messages_settled_total{handler="a",outcome="ack",service="s",way="main"} 6.0
glam_worker_messages_settled_total{handler="a",outcome="parked",service="s",way="main"} 3.0
glam_worker_messages_settled_total{handler="a",outcome="ack",service="s",way="lane"} 2.0
glam_worker_messages_settled_total{handler="a",outcome="dead_letter",service="s",way="lane"} 1.0
# TYPE glam_worker_failures_total counter
glam_worker_failures_total{error_type="E",handler="a",service="s",way="main"} 2.0
glam_worker_failures_total{error_type="E",handler="a",service="s",way="lane"} 1.0
# TYPE glam_worker_dead_letters_total counter
glam_worker_dead_letters_total{handler="a",reason="exhausted",service="s"} 1.0
# TYPE glam_worker_handler_duration_seconds histogram
glam_worker_handler_duration_seconds_bucket{handler="a",le="0.1",service="s",way="main"} 5.0
glam_worker_handler_duration_seconds_bucket{handler="a",le="0.2",service="s",way="main"} 10.0
glam_worker_handler_duration_seconds_bucket{handler="a",le="+Inf",service="s",way="main"} 10.0
# TYPE glam_worker_drain_seconds gauge
glam_worker_drain_seconds{handler="a",service="s"} +Inf
"""


def test_the_numbers_are_read_from_the_metrics() -> None:
    """Parked runs that failed are retries, the others snoozes; percentiles are interpolated."""
    numbers = read_numbers(EXPOSITION)["a"]

    assert (9, 8, 3, 2, 1) == (
        numbers.first,
        numbers.handled,
        numbers.parked,
        numbers.retried,
        numbers.snoozed,
    )
    assert 9 == numbers.ended
    assert pytest.approx(0.1) == numbers.percentile(0.5)
    assert pytest.approx(0.18) == numbers.percentile(0.9)
    assert HandlerNumbers().percentile(0.5) is None
    assert 16 == together([numbers, numbers]).handled
