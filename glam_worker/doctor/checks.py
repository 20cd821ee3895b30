"""All checks, in the order in which they are made. A new one is a function, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from glam_worker.doctor import access, durables, letters, retries, server, streams
from glam_worker.doctor.findings import Finding, Severity
from glam_worker.doctor.snapshot import Snapshot

Check: TypeAlias = Callable[[Snapshot], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    server.server_version,
    server.sync_interval,
    server.server_room,
    server.clock_skew,
    server.account_limits,
    server.not_looked_at,
    server.no_answer,
    server.nothing_here,
    access.permissions,
    access.buckets,
    streams.replicas,
    streams.followers,
    streams.storage,
    streams.persist_mode,
    streams.taking,
    streams.consumer_limits,
    streams.events_retention,
    streams.events_age,
    streams.events_limits,
    streams.duplicate_window,
    retries.retry_stream,
    retries.retry_copies,
    retries.retry_consumers,
    retries.longest_retry,
    retries.overdue_retries,
    retries.passed_retries,
    retries.lanes,
    letters.letters_stream,
    letters.letters_discard,
    letters.letters_age,
    letters.letters_room,
    letters.letters_waiting,
    durables.acknowledgement,
    durables.max_deliver,
    durables.backoff,
    durables.contents,
    durables.inactivity,
    durables.pull_limits,
    durables.kept_as_its_stream,
    durables.ack_wait,
    durables.max_ack_pending,
    durables.paused,
    durables.nobody_pulls,
    durables.near_the_age,
    durables.given_up,
    durables.deleted,
    durables.one_owner,
)

_ORDER = list(Severity)


def name_of(check: Check) -> str:
    """The name of a check in findings and on the page: ``letters-discard``."""
    return str(check.__name__).replace("_", "-")


def examine(seen: Snapshot, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """What all checks find, the worst first."""
    found = [replace(one, check=name_of(check)) for check in checks for one in check(seen)]
    return sorted(found, key=lambda one: _ORDER.index(one.severity))
