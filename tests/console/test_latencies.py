"""Latencies from workers' metrics."""

from __future__ import annotations

import logging
import math

import pytest

from glam_worker.console.latencies import Latencies, quantile


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ({}, 0.5, None),
        ({1.0: 0, math.inf: 0}, 0.5, None),
        ({1.0: 10, 2.0: 10, math.inf: 10}, 0.5, 0.5),
        ({1.0: 5, 2.0: 10, math.inf: 10}, 0.5, 1.0),
        ({1.0: 5, 2.0: 10, math.inf: 10}, 0.9, 1.8),
        ({1.0: 5, 2.0: 5, math.inf: 10}, 0.99, 2.0),
    ],
)
def test_quantile(buckets: dict[float, float], share: float, value: float | None) -> None:
    """
    A quantile lies between two bounds, along a straight line; beyond the last bound it is that.
    """
    assert value == quantile(buckets, share)


async def test_a_worker_that_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    """
    A worker that is away, or an address that is none, is said once and harms nothing.
    """
    latencies = Latencies(["http://127.0.0.1:1/metrics", "file:///etc/passwd"])

    with caplog.at_level(logging.WARNING, "glam_worker.console"):
        assert {} == await latencies.look()
        assert {} == await latencies.look()

    assert 2 == len(caplog.records)
