"""A chaos run, from the first worker to the verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.events import Publisher
from tests.chaos.nemesis import Nemesis
from tests.chaos.places import Place
from tests.chaos.verdict import Verdict, judged
from tests.faults.jobs import CONCURRENCY
from tests.faults.rig import Rig
from tests.faults.waiting import until

WORKERS = 3
RATE = 40.0
"""Events a second."""
SETTLED_WITHIN = 120.0
"""Seconds after the last fault within which nothing is left to do."""
EXPECTED_ENDS = (("kill", -9), ("term", 0), ("start", 1))
"""A start that finds no streams, for there is no quorum, fails and is repeated."""


@dataclass(slots=True)
class Report:
    """What a run came to."""

    seed: int
    seconds: float = 0.0
    published: int = 0
    unknown: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    slowest_recovery: float = 0.0
    settled_after: float = 0.0
    """Seconds from the last event to nothing left to do."""
    letters: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """How workers ended: means and exit code."""
    verdict: Verdict = field(default_factory=Verdict)
    held: list[str] = field(default_factory=list)
    """Slots, bytes or credits that were not returned, bounds that did not hold, wrong exits."""

    @property
    def problems(self) -> list[str]:
        """What must not be; empty after a good run."""
        return self.verdict.problems + self.held

    def lines(self) -> list[str]:
        """The figures, for people."""
        verdict = self.verdict
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()))
        ends = ", ".join(f"{count} {kind}" for kind, count in sorted(self.ends.items()))
        causes = ", ".join(f"{count} {kind}" for kind, count in verdict.extra_by_fault.items())
        return [
            f"seed {self.seed}, {self.seconds:.0f} s, {WORKERS} workers, three servers",
            f"events     {self.published} acknowledged, {self.unknown} without a PubAck",
            f"faults     {sum(self.faults.values())}: {kinds}",
            f"workers    {ends}",
            f"runs       {verdict.runs}, of them extra {verdict.extra_runs} ({causes or 'none'})",
            f"letters    {self.letters}, {verdict.double} double, {verdict.crashed} crashed",
            f"recovery   {self.slowest_recovery:.1f} s at most",
            f"settled    {self.settled_after:.1f} s after the last fault",
            f"lost       {len(verdict.lost)}",
            f"not explained: {len(verdict.unexplained)} runs",
            f"other problems: {len(verdict.wrong_letters) + len(self.held)}",
        ]


async def chaos(folder: Path, minutes: float, seed: int) -> Report:
    """Publish, break, mend, and judge."""
    report = Report(seed)
    dice = random.Random(seed)
    async with Rig(folder) as rig:
        cluster = await rig.cluster()
        places = []
        for number in range(WORKERS):
            proxies = [await rig.proxy(server) for server in cluster.servers]
            places.append(Place(rig, f"worker {number}", proxies))
            places[-1].fill()
            await places[-1].present.is_ready()
        client = await rig.connect()
        publisher = Publisher(client, random.Random(seed), RATE)
        nemesis = Nemesis(cluster, places, client, dice)
        started = time.monotonic()
        publishing = asyncio.create_task(publisher.run())
        try:
            await nemesis.run(started + 60 * minutes)
        finally:
            publishing.cancel()
        await _calm(rig, publisher, report)
        report.seconds = time.monotonic() - started
        await _look(rig, places, report)
        await _judge(rig, publisher, nemesis, report)
    return report


async def _calm(rig: Rig, publisher: Publisher, report: Report) -> None:
    """Nothing is broken any more: all that is left is worked."""
    ended = time.monotonic()
    await publisher.finish()
    await until(rig.idle, "nothing to be left", SETTLED_WITHIN)
    report.settled_after = time.monotonic() - ended


async def _look(rig: Rig, places: list[Place], report: Report) -> None:
    """What each worker holds, how it ends, and that it never ran too much at once."""
    for place in places:
        worker = place.present
        for metric, labels, most in (
            ("slots", {"state": "busy"}, 0),
            ("in_flight_bytes", {}, 0),
            ("credits_outstanding", {}, 2 * 5 * CONCURRENCY),
        ):
            found = await worker.metric(metric, **labels)
            if found > most:
                report.held.append(f"{place.name}: {metric} is {found}, with nothing to do")
        await place.term()
        for how, code in place.codes:
            report.ends[f"{how} {code}"] += 1
            if (how, code) not in EXPECTED_ENDS:
                report.held.append(f"{place.name} ended with {code} after {how}")
        for pid in place.pids:
            for handler in ("work", "threaded"):
                most_at_once = rig.journal.most_at_once(handler, pid)
                if most_at_once > CONCURRENCY:
                    report.held.append(f"{handler} ran {most_at_once} at once in {place.name}")


async def _judge(rig: Rig, publisher: Publisher, nemesis: Nemesis, report: Report) -> None:
    letters = await rig.letters()
    events = publisher.acknowledged | publisher.unknown
    runs = rig.journal.runs()
    report.verdict = judged(events, publisher.acknowledged, runs, letters, nemesis.faults)
    report.published, report.unknown = len(publisher.acknowledged), len(publisher.unknown)
    report.letters = len(letters)
    report.faults = Counter(fault.kind for fault in nemesis.faults)
    report.slowest_recovery = max(nemesis.recoveries, default=0.0)
