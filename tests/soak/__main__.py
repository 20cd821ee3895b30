"""``python -m tests.soak --minutes 30``: one worker at a steady rate; 1 if what it uses grows."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from glam_shared.messaging import EventPublisher
from tests.chaos.events import planned
from tests.faults import jobs
from tests.faults.rig import Rig
from tests.soak import samples

SAMPLES = 120


def main() -> int:
    """Run, and tell what was found."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the server ends before the connection
    with tempfile.TemporaryDirectory(prefix="glam-soak-") as folder:
        events, found = asyncio.run(soak(Path(folder), given.minutes, given.rate))
    problems = samples.grown(found)
    print(f"{events} events in {given.minutes:g} minutes, {len(found)} samples")
    for name in samples.ROOM:
        values = [int(one[name]) for one in found]
        print(f"{name:10} first {values[0]}, most {max(values)}, last {values[-1]}")
    print("\n".join(problems) or "nothing grew")
    return 1 if problems else 0


async def soak(folder: Path, minutes: float, rate: float) -> tuple[int, list[dict[str, float]]]:
    """How many events there were, and the samples."""
    file = folder / "samples"
    file.touch()
    async with Rig(folder) as rig:
        await rig.server()
        modules = (jobs.__name__, samples.__name__)
        worker = rig.worker(
            modules=modules, FAULTS_JOURNAL=os.devnull, FAULTS_CONCURRENCY=32, SOAK_SAMPLES=file
        )
        await worker.is_ready()
        count = await _publish(rig, 60 * minutes, rate)
        await rig.settled(60)
        assert await worker.term() == 0
    return count, [json.loads(line) for line in file.read_text().splitlines()]


async def _publish(rig: Rig, seconds: float, rate: float) -> int:
    client = await rig.connect()
    publisher = EventPublisher(client, "soak")
    dice = random.Random(1)
    start, count, sampled = time.monotonic(), 0, 0
    while (passed := time.monotonic() - start) < seconds:
        if passed * SAMPLES > sampled * seconds:
            sampled += 1
            await publisher.publish_event(samples.SUBJECT, samples.Sample(number=sampled))
        while count < passed * rate:
            count += 1
            event = planned(count, dice)
            await client.publish_acked(event.subject, event.body, {}, msg_id=event.event_id)
        await asyncio.sleep(0.05)
    return count


if __name__ == "__main__":
    sys.exit(main())
