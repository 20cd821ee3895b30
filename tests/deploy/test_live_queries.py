"""A real Prometheus scrapes a real worker, and answers what dashboard and alerts ask."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_worker.testing import TenantServer
from tests.deploy.prometheus import Prometheus
from tests.deploy.queries import dashboard_queries, rules, unfiltered
from tests.supervisor.running import Service, publish, until

WITHIN = 90.0

_BODY = """
    if job.id % 3 == 0:
        raise Reject("every third one")
    if job.id % 3 == 1:
        raise RuntimeError("every other one, for now")
"""

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="prometheus is not on the PATH (Debian: apt-get install prometheus)",
    ),
]


@pytest.fixture
def service(tmp_path: Path, nats_server: TenantServer) -> Iterator[Service]:
    """A service whose events end in every way."""
    made = Service(tmp_path, nats_server.fresh_url())
    made.declare(body=_BODY.strip(), prelude="from glam_worker import Reject")
    yield made
    for run in made.runs:
        run.end()


def test_every_query_returns_series_and_a_dead_letter_raises_its_alert(
    service: Service, tmp_path: Path
) -> None:
    """No panel is empty, no alert asks for what is not there, and the first letter is noticed."""
    run = service.run(processes=1)
    run.await_all_ready()
    asked = {
        **dashboard_queries(),
        **{rule["record"]: rule["record"] for rule in rules("recording")},
        **{rule["alert"]: unfiltered(rule["expr"]) for rule in rules("alerts")},
    }

    with Prometheus(tmp_path, run.port) as prometheus:
        until(lambda: prometheus.query("glam_worker_dead_letters_total"), "the first scrape")
        asyncio.run(publish(service.server, range(12)))
        missing = set(asked)

        def all_answered() -> bool:
            missing.difference_update([name for name in missing if prometheus.query(asked[name])])
            return not missing

        try:
            until(all_answered, "every query returns series", WITHIN)
        except AssertionError:
            pytest.fail("\n".join(f"{name}: no series: {asked[name]}" for name in sorted(missing)))
        told = prometheus.rules()
        until(
            lambda: prometheus.query(
                'ALERTS{alertname="GlamWorkerDeadLettersGrowing", alertstate="firing"}'
            ),
            "the alert fires",
        )
        services = {one["metric"]["service"] for one in prometheus.query("glam_worker_build_info")}

    assert len(asked) > 60
    assert {
        (rule["name"], rule.get("lastError", "")) for rule in told if rule["health"] != "ok"
    } == set()
    assert services == {"jobs"}
