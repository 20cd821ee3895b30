"""The contenders do their work against a real server, if few events of it."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks.contenders import NAMES
from benchmarks.events import wire
from benchmarks.rig import BenchError
from benchmarks.scenarios import latency, noop
from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.events import MerchantCreatedPayload


def test_events_are_of_the_size_that_the_report_says() -> None:
    """An event has about 700 bytes on the wire, and the contenders' model reads it."""
    message = wire(123)

    assert 650 <= len(message) <= 750
    assert EventEnvelope[MerchantCreatedPayload].from_bytes(message).data.status == "active"


@pytest.mark.parametrize("contender", NAMES)
async def test_a_contender_handles_and_settles_every_event_once(contender: str) -> None:
    """A run ends with all events handled once and acked, and gives figures above zero."""
    if contender == "faststream" and importlib.util.find_spec("faststream") is None:
        pytest.skip("faststream is not installed (extra bench)")

    measured = await noop.run(contender, scale=0.02)

    assert measured["repeated"] == 0
    assert measured["events_per_second"] > 0
    assert measured["cpu_us_per_event"] > 0


async def test_latency_pairs_each_start_with_its_publication() -> None:
    """A handler starts after its event was published, and within the interval to the next."""
    measured = await latency.run("bare_inbox", scale=0.1)

    assert 0 < measured["p50_us"] <= measured["p99_us"]
    assert measured["p50_us"] < latency.INTERVAL * 1e6


async def test_a_contender_that_ends_early_is_an_error() -> None:
    """A contender that cannot run measures nothing, instead of something wrong."""
    with pytest.raises(BenchError, match="ended with code"):
        await noop.run("nobody", scale=0.02)
