"""What a worker process uses, as one of its own handlers sees it; and whether that grows."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from statistics import median

from pydantic import BaseModel

from glam_worker import EventContext, on

SUBJECT = "evt.soak.sampled.v1"
VARIABLE = "SOAK_SAMPLES"

ROOM = {"resident": 6e6, "files": 2, "threads": 2, "tasks": 12}
"""What may lie between the second and the last quarter of the samples: bytes, and numbers."""


class Sample(BaseModel):
    """Asks for a sample."""

    number: int


@on(SUBJECT, Sample, name="sample")
async def sample(asked: Sample, event: EventContext) -> None:
    """Write down what the process uses now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    found = {
        "resident": pages * os.sysconf("SC_PAGE_SIZE"),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
    }
    _write_down(json.dumps(found))


def _write_down(line: str) -> None:
    with Path(os.environ[VARIABLE]).open("a") as samples:
        samples.write(line + "\n")


def grown(samples: list[dict[str, float]]) -> list[str]:
    """What grew from the second quarter of the samples to the last."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    said = []
    for name, room in ROOM.items():
        before, after = (median(one[name] for one in part) for part in (early, late))
        if after - before > room:
            said.append(f"{name} grew from {before:.0f} to {after:.0f}")
    return said
