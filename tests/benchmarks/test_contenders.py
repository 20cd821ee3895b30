"""The contenders do their work against a real server, if few events of it."""

from __future__ import annotations

import pytest

from benchmarks.contenders import CONTENDERS
from benchmarks.drained import drained
from benchmarks.events import payload, wire
from benchmarks.job import Job
from benchmarks.paced import delays
from benchmarks.rig import BenchError
from benchmarks.scenarios import SCENARIOS
from benchmarks.scenarios.publishing import published
from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.events import MerchantCreatedPayload

CONSUMERS = ("bare_inbox", "fetch_loop", "hand_tuned", "faststream:16", "taskiq", "glam_worker")
PUBLISHERS = ("js_publish", "js_pipelined", "js_ready_bytes", "publish_event", "publish_many")


def test_events_are_of_the_size_that_the_report_says() -> None:
    """An event has about 700 bytes on the wire, and the contenders' model reads it."""
    message = wire(123)

    assert 650 <= len(message) <= 750
    assert EventEnvelope[MerchantCreatedPayload].from_bytes(message).data.status == "active"


@pytest.mark.parametrize("size", [240, 2_000, 50_000, 900_000])
def test_data_can_have_any_size(size: int) -> None:
    """What a payload scenario names is the size of the data, to the byte."""
    assert size == len(payload(7, size).model_dump_json())


def test_every_scenario_names_contenders_that_exist() -> None:
    """Each is listed with its settings; a case's name is told once."""
    known = {contender.name for contender in CONTENDERS}
    for scenario in SCENARIOS:
        assert {name.partition(":")[0] for name in scenario.contenders} <= known
        assert len({case.name for case in scenario.cases}) == len(scenario.cases)


@pytest.mark.parametrize("contender", CONSUMERS)
async def test_a_contender_handles_and_settles_every_event_once(contender: str) -> None:
    """A run ends with all events handled once and acked, and gives figures above zero."""
    if contender.startswith(("faststream", "taskiq")):
        pytest.importorskip("taskiq_nats", reason="the extra bench is not installed")

    measured = await drained(contender, Job(events=500))

    assert measured["repeated"] == 0
    assert measured["events_per_second"] > 0
    assert measured["cpu_us_per_event"] > 0


@pytest.mark.parametrize("contender", PUBLISHERS)
async def test_a_publisher_stores_every_event(contender: str) -> None:
    """A run ends when the stream holds what was published; otherwise it measures nothing."""
    assert (await published(contender, Job(events=300)))["events_per_second"] > 0


@pytest.mark.parametrize(
    "job",
    [Job(1_500, processes=2, handlers=3, headers=True), Job(500, fail_every=100)],
    ids=["two processes of three handlers", "failures"],
)
async def test_each_event_is_handled_once(job: Job) -> None:
    """Processes and handlers share the events, and a failed run ends well when it is repeated."""
    assert (await drained("glam_worker", job))["repeated"] == 0


async def test_latency_pairs_each_start_with_its_publication() -> None:
    """A handler starts after its event was published, whatever the order."""
    found = await delays("glam_worker", Job(events=40, slow_every=7), 0.01)

    assert len(found) == 40
    assert min(found.values()) > 0


async def test_a_contender_that_ends_early_is_an_error() -> None:
    """A contender that cannot run measures nothing, instead of something wrong."""
    with pytest.raises(BenchError, match="ended with code"):
        await drained("nobody", Job(events=20))
