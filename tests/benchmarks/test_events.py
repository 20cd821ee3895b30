"""What the contenders of the benchmarks are given to handle."""

from __future__ import annotations

from itertools import islice

from benchmarks.events import VARIANTS, _messages
from benchmarks.job import Job


def test_an_idempotent_handler_is_given_each_event_once() -> None:
    """An event that comes again is not handled, and the run would wait for it for ever."""
    job = Job(events=2 * VARIANTS, idempotent=True)

    assert len({message for _, message in islice(_messages(job), job.events)}) == job.events
