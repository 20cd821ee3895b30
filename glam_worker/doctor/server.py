"""Checks of the server itself: its version, disk, clock and limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from glam_worker.doctor.findings import Finding, error, info, warning
from glam_worker.doctor.snapshot import Monitor, Snapshot
from glam_worker.topology.specs import NS

_LEAST = (2, 12, 0)
_MENDED = (2, 12, 3)
_SKEW = 1.0
_SHOWN = 4
NEARLY, FULL = 0.8, 0.95
"""Parts of a limit that are worth a warning, and an error."""


def server_version(seen: Snapshot) -> Iterator[Finding]:
    """Schedules came with 2.12; 2.12.3 mended losses that Jepsen found."""
    found = tuple(int(part) for part in re.findall(r"\d+", seen.version)[:3])
    if found < _LEAST:
        yield error(
            "the server",
            f"is nats-server {seen.version}",
            "it has no message schedules: no worker starts, and no retry can be parked",
            "upgrade to nats-server 2.12.3 or newer",
        )
    elif found < _MENDED:
        yield warning(
            "the server",
            f"is nats-server {seen.version}",
            "it can lose acknowledged messages when servers are removed from a cluster",
            "upgrade to nats-server 2.12.3 or newer",
        )


def sync_interval(seen: Snapshot) -> Iterator[Finding]:
    """The time in which acknowledged messages are in memory only."""
    if not seen.monitors:
        yield info(
            "the server",
            "does not tell its sync_interval to clients",
            "by default a power failure loses what was acknowledged in the last two minutes",
            "run this again with --monitor, such as http://nats:8222, one URL for each server",
        )
    alone = any(stream.replicas < 3 for stream in seen.kept()) or not list(seen.kept())
    for monitor in seen.monitors:
        yield from _synced(monitor, alone=alone)


def _synced(monitor: Monitor, *, alone: bool) -> Iterator[Finding]:
    thing = f"the server at {monitor.url}"
    if monitor.problem:
        yield warning(
            thing,
            f"cannot be read: {monitor.problem}",
            "nothing is known of its disk",
            "correct --monitor; the server needs http_port (or -m) in its configuration",
        )
        return
    interval = int(monitor.config.get("sync_interval") or 0) / NS
    if monitor.config.get("sync_always") or interval <= 1.0:
        return
    kind, when = (error, "a power failure") if alone else (warning, "a power failure of all nodes")
    yield kind(
        thing,
        f"writes to its disk every {interval:g} s (sync_interval)",
        f"{when} loses what was acknowledged since, with no trace of it",
        "set sync_interval: always, or a second that you accept to lose, in its jetstream block",
    )


def server_room(seen: Snapshot) -> Iterator[Finding]:
    """What the servers may store together."""
    for monitor in seen.monitors:
        for kind in ("storage", "memory"):
            limit = int(monitor.config.get(f"max_{kind}") or 0)
            used = int(monitor.answer.get(kind) or 0)
            part = used / limit if limit > 0 else 0.0
            if part >= NEARLY:
                yield (error if part >= FULL else warning)(
                    f"the server at {monitor.url}",
                    f"uses {part:.0%} of its JetStream {kind}",
                    "when it is full, events, retries and letters are refused",
                    f"raise max_{kind[:4] if kind == 'memory' else 'file'}_store, or remove "
                    "streams that nobody needs",
                )


def clock_skew(seen: Snapshot) -> Iterator[Finding]:
    """Delays are kept by the server's clock; logs are written by ours."""
    if abs(seen.clock_offset) > _SKEW:
        yield warning(
            "the server's clock",
            f"is {seen.clock_offset:+.1f} s from this machine's",
            "delays are kept by the server's, so Snooze(until=...) and times in logs differ by it",
            "set both by NTP",
        )


def account_limits(seen: Snapshot) -> Iterator[Finding]:
    """What the account may use, each tier by itself."""
    tiers = seen.account.get("tiers") or {"": seen.account}
    for name, tier in tiers.items():
        limits = tier.get("limits") or {}
        for used in ("storage", "memory", "streams", "consumers"):
            limit = int(limits.get(f"max_{used}") or 0)
            part = int(tier.get(used) or 0) / limit if limit > 0 else 0.0
            if part >= NEARLY:
                yield (error if part >= FULL else warning)(
                    f"the account's tier {name}" if name else "the account",
                    f"uses {tier[used]} of {limit} {used} ({part:.0%})",
                    _AT_LIMIT[used],
                    f"raise the account's limit of {used}, or remove what nobody needs",
                )


_AT_LIMIT = {
    "storage": "at the limit, events, retries and letters are refused",
    "memory": "at the limit, streams in memory refuse events",
    "streams": "at the limit, a missing stream cannot be created",
    "consumers": "at the limit, a new handler gets no durable, and its worker does not start",
}


def not_looked_at(seen: Snapshot) -> Iterator[Finding]:
    """Requests of the doctor's own that were denied."""
    if seen.unseen:
        shown = ", nor ".join(seen.unseen[:_SHOWN])
        more = len(seen.unseen) - _SHOWN
        yield info(
            "this user",
            f"may not {shown}" + (f", and {more} more" if more > 0 else ""),
            "what it would have told was not checked",
            "run this as the operator whom `glam-worker permissions` describes",
        )


def no_answer(seen: Snapshot) -> Iterator[Finding]:
    """What JetStream does not answer, it does not do either."""
    for problem in seen.unanswered:
        off = "not enabled" in problem
        yield error(
            "JetStream",
            f"does not answer: {problem.rstrip('.')}",
            "no worker can start" if off else "workers wait for the same answers, and work less",
            "enable JetStream for the account in the server's configuration"
            if off
            else "start the servers that are away, and see their logs",
        )


def nothing_here(seen: Snapshot) -> Iterator[Finding]:
    """A server that no worker has used yet, or another one than was meant."""
    if seen.ours or seen.unseen or seen.unanswered:
        return
    whose = f" of service {seen.service}" if seen.service else ""
    yield (warning if seen.service else info)(
        "the account",
        f"has no durable{whose}",
        "no worker has started with these settings, or they name another server or account",
        "compare `glam-worker config` with the worker's environment, or start a worker",
    )
