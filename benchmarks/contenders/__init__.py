"""Who is compared. Each module has `async def consume(job, probe)`, which runs until cancelled."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.job import Job
from benchmarks.probe import Probe

NAMES = (
    "bare_inbox",
    "fetch_loop",
    "faststream",
    "glam_worker",
)

Consume = Callable[[Job, Probe], Coroutine[Any, Any, None]]


def contender(name: str) -> Consume:
    """The contender's `consume`; no other contender is imported."""
    consume: Consume = importlib.import_module(f"{__name__}.{name}").consume
    return consume
