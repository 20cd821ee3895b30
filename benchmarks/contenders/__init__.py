"""Who is compared: each module has `async def work(job, probe)`, which runs until cancelled.

`NAME:VARIANT` is the contender NAME whose job says the variant, for example `faststream:16`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.job import Job
from benchmarks.probe import Probe

Work = Callable[[Job, Probe], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One who is compared, and what the report says of it."""

    name: str
    distribution: str
    settings: str

    @property
    def version(self) -> str | None:
        """The version that is installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version}): {self.settings}"


CONTENDERS = (
    Contender("bare_inbox", "nats-py", "an inbox's callback acks; nothing is read, no handler"),
    Contender("fetch_loop", "nats-py", "fetch(concurrency), then one after the other"),
    Contender("hand_tuned", "nats-py", "two loops, each fetch(concurrency / 2) and gather"),
    Contender(
        "faststream",
        "faststream",
        "PullSub(batch_size=100; 17 of 900 KB), max_workers as named, else the concurrency,"
        " logger=None, retries by NACK_ON_ERROR",
    ),
    Contender(
        "taskiq",
        "taskiq-nats",
        "PullBasedJetStreamBroker(pull_consume_batch=100; 17 of 900 KB),"
        " max_async_tasks=concurrency, max_prefetch=batch, ack when executed, log level warning;"
        " a formatter reads the envelope and validates it once, so validate_params=False",
    ),
    Contender("glam_worker", "glam-worker", "concurrency, no HTTP endpoint, all else as in `run`"),
    Contender("js_publish", "nats-py", "the same message, each PubAck awaited before the next"),
    Contender("js_pipelined", "nats-py", "the same message, 512 PubAcks awaited at a time"),
    Contender("js_ready_bytes", "nats-py", "js_pipelined of messages that were made before"),
    Contender("publish_event", "glam-worker", "EventPublisher.publish_event, one by one"),
    Contender("publish_many", "glam-worker", "EventPublisher.publish_many, in_flight=512"),
)
NAMES = tuple(contender.name for contender in CONTENDERS)


def family(name: str) -> str:
    """The contender's name without its variant."""
    return name.partition(":")[0]


def worker(name: str) -> Work:
    """The contender's `work`; no other contender is imported."""
    work: Work = importlib.import_module(f"{__name__}.{family(name)}").work
    return work
