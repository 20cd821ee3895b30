"""Snapshots, and what one check of the server and its streams says of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glam_worker.doctor.snapshot import Letters, Monitor, Overdue, Parked, Snapshot, Tries
from tests.doctor.row import E, N, Row, W
from tests.doctor.seen import (
    CLUSTER,
    HEALTHY,
    IN_CLUSTER,
    NS,
    REPLICATED,
    claims,
    durable,
    events,
    letters,
    other,
    record,
    retry,
    with_streams,
)

ALONE = Monitor("http://nats:8222", {"config": {"sync_interval": 120 * NS, "max_storage": 100}})
LEGACY = {"subjects": ["evt.>", "cmd.>", "dlq.>"]}
HOUR = 3600.0


def only_with_legacy(**config: object) -> Snapshot:
    """Letters live in an old events stream."""
    made = with_streams(events(**LEGACY, **config))
    return replace(made, streams=tuple(s for s in made.streams if s.name != "GLAM_DLQ"))


def without(name: str) -> Snapshot:
    """The healthy snapshot without a stream."""
    return replace(HEALTHY, streams=tuple(s for s in HEALTHY.streams if s.name != name))


def monitored(seen: Snapshot, **answer: object) -> Snapshot:
    """With a server that syncs every two minutes."""
    return replace(seen, monitors=(replace(ALONE, answer=dict(ALONE.answer) | answer),))


def declaring(durable: str = "shop-ship", **given: Any) -> Snapshot:
    """The healthy snapshot, with a record of a durable."""
    return replace(HEALTHY, records=(record(durable, **given),))


def parked_for(age: float, **given: Any) -> Snapshot:
    """The same, with a retry stream that has an age."""
    made = with_streams(retry(max_age=int(age * NS)))
    return replace(made, records=(record("shop-ship", **given),))


OF_STREAMS = [
    Row("server-version", replace(HEALTHY, version="2.11.9"), E, "2.11.9"),
    Row("server-version", replace(HEALTHY, version="2.12.2"), W, "2.12.2"),
    Row("server-version", replace(HEALTHY, version="2.12.3"), None),
    Row("server-version", replace(HEALTHY, version="3.0.0-dev"), None),
    Row("sync-interval", replace(HEALTHY, monitors=()), N, "--monitor"),
    Row("sync-interval", monitored(HEALTHY), E, "every 120 s"),
    Row("sync-interval", monitored(REPLICATED), W, "all nodes"),
    Row("sync-interval", monitored(HEALTHY, config={"sync_interval": NS}), None),
    Row("sync-interval", replace(HEALTHY, monitors=(Monitor("http://x", problem="no"),)), W, "no"),
    Row("server-room", monitored(HEALTHY, storage=79), None),
    Row("server-room", monitored(HEALTHY, storage=80), W, "80%"),
    Row("server-room", monitored(HEALTHY, storage=96), E, "96%"),
    Row("clock-skew", replace(HEALTHY, clock_offset=-1.5), W, "-1.5 s"),
    Row("clock-skew", replace(HEALTHY, clock_offset=0.9), None),
    Row(
        "account-limits",
        replace(HEALTHY, account={"consumers": 9, "limits": {"max_consumers": 10}}),
        W,
        "9 of 10 consumers (90%)",
    ),
    Row(
        "account-limits",
        replace(
            HEALTHY, account={"tiers": {"R3": {"storage": 99, "limits": {"max_storage": 100}}}}
        ),
        E,
        "tier R3",
    ),
    Row("account-limits", replace(HEALTHY, account={}), None),
    Row("not-looked-at", replace(HEALTHY, unseen=("publish to $JS.API.INFO",)), N, "$JS.API.INFO"),
    Row(
        "not-looked-at",
        replace(HEALTHY, unseen=tuple("abcdef")),
        N,
        "a, nor b, nor c, nor d, and 2",
    ),
    Row("no-answer", replace(HEALTHY, unanswered=("INFO: no quorum.",)), E, "INFO: no quorum;"),
    Row(
        "no-answer", replace(HEALTHY, unanswered=("JetStream not enabled",)), E, "enable JetStream"
    ),
    Row("nothing-here", replace(HEALTHY, durables=()), N, "no durable"),
    Row("nothing-here", replace(HEALTHY, durables=(), service="x"), W, "of service x"),
    Row(
        "permissions",
        replace(HEALTHY, tries=Tries(("$JS.ACK.S.C.1",), (("dlq.a", "write dead letters"),))),
        E,
        "dlq.a",
    ),
    Row(
        "permissions",
        replace(HEALTHY, tries=Tries(("$JS.API.STREAM.NAMES",), (("$JS.ACK.S.C.1", "settle"),))),
        N,
        "no worker's",
    ),
    Row("permissions", replace(HEALTHY, tries=Tries(("$JS.ACK.S.C.1",))), None),
    Row(
        "buckets",
        replace(HEALTHY, tries=Tries(unheard=("$JS.hub.API.$KV.GLAM_STATE.doctor",))),
        E,
        "cannot be written: nothing answers on $JS.hub.API.$KV.GLAM_STATE.doctor",
    ),
    Row("buckets", replace(HEALTHY, tries=Tries(("$KV.GLAM_STATE.doctor",))), None),
    # --- streams ---
    Row("replicas", with_streams(events(cluster=CLUSTER)), E, "1 replica in cluster C"),
    Row("replicas", REPLICATED, None),
    Row("replicas", with_streams(events(**IN_CLUSTER)), E, "the events have 3"),
    Row("replicas", with_streams(events(cluster={"leader": "n1"})), None),
    Row("followers", with_streams(events(cluster={"name": "C"}, num_replicas=3)), E, "no leader"),
    Row(
        "followers",
        with_streams(events(cluster=CLUSTER | {"replicas": [{"name": "n2", "offline": True}]})),
        W,
        "n2 is offline",
    ),
    Row("followers", REPLICATED, None),
    Row("storage", with_streams(claims(storage="memory")), E, "in memory"),
    Row("storage", with_streams(events(storage="memory", num_replicas=3)), W, "in memory"),
    Row("persist-mode", with_streams(events(persist_mode="async")), E, "async"),
    Row("taking", with_streams(events(sealed=True)), E, "sealed"),
    Row("taking", with_streams(retry(no_ack=True)), E, "no_ack"),
    Row("taking", with_streams(letters(max_msg_size=1000)), E, "1000 bytes"),
    Row("taking", with_streams(events(max_msg_size=1000)), None),
    Row(
        "consumer-limits",
        with_streams(events(consumer_limits={"inactive_threshold": NS})),
        E,
        "inactive_threshold",
    ),
    Row("consumer-limits", with_streams(events(consumer_limits={"max_ack_pending": 0})), None),
    Row("events-retention", with_streams(events(retention="interest")), E, "interest"),
    Row("events-retention", with_streams(events(retention="workqueue")), W, "workqueue"),
    Row("events-age", with_streams(events(max_age=3600 * NS)), W, "1 h"),
    Row("events-age", with_streams(events(max_age=0)), None),
    Row("events-limits", with_streams(events(max_msgs_per_subject=1)), E, "per_subject=1"),
    Row("events-limits", with_streams(events(max_msgs=100, state={"messages": 10})), W, "10%"),
    Row("events-limits", with_streams(events(max_bytes=100, state={"bytes": 99})), W, "99%"),
    Row(
        "events-limits",
        replace(
            with_streams(events(max_bytes=100, state={"bytes": 99})),
            durables=(durable(numbers={"num_pending": 5}),),
        ),
        E,
        "5 events are not settled",
    ),
    Row("events-limits", with_streams(events(max_bytes=100, discard="new")), None),
    Row("duplicate-window", with_streams(events(duplicate_window=NS)), W, "1 s"),
    Row("duplicate-window", with_streams(retry(duplicate_window=60 * NS)), W, "60 s"),
    Row("duplicate-window", with_streams(claims(duplicate_window=NS)), None),
    # --- retries ---
    Row("retry-stream", without("GLAM_RETRY"), E, "does not exist"),
    Row("retry-stream", replace(without("GLAM_RETRY"), durables=()), None),
    Row("retry-stream", replace(without("GLAM_RETRY"), unseen=("STREAM.INFO.GLAM_RETRY",)), None),
    Row("retry-stream", with_streams(retry(max_bytes=100)), E, "max_bytes=100"),
    Row("retry-stream", with_streams(retry(allow_msg_schedules=False)), E, "schedules"),
    Row("retry-stream", with_streams(retry(retention="limits")), E, "retention limits"),
    Row("retry-copies", with_streams(other("M", mirror={"name": "GLAM_RETRY"})), E, "stream M"),
    Row("retry-copies", with_streams(other("M", sources=[{"name": "GLAM_RETRY"}])), E, "stream M"),
    Row("retry-copies", with_streams(other("M", sources=[{"name": "GLAM_EVENTS"}])), None),
    Row(
        "retry-consumers",
        replace(HEALTHY, durables=(durable("lane", metadata={}, filter_subject="retry.>"),)),
        E,
        "given retry.>",
    ),
    Row(
        "retry-consumers",
        replace(HEALTHY, durables=(durable("lane", metadata={}, filter_subject=""),)),
        E,
        "given >",
    ),
    Row(
        "overdue-retries",
        replace(HEALTHY, parked=Parked(9, True, (Overdue("retry.wait.a.b.c", 90.0),))),
        E,
        "90 s late (retry.wait.a.b.c)",
    ),
    Row(
        "overdue-retries",
        replace(HEALTHY, parked=Parked(9, False, (Overdue("retry.wait.a.b.c", 90.0),))),
        E,
        "of the oldest 9",
    ),
    Row(
        "passed-retries",
        replace(HEALTHY, parked=Parked(passed_by={"shop-ship-lane": 3})),
        E,
        "does not hand out 3 retries",
    ),
    Row("passed-retries", replace(HEALTHY, parked=Parked(passed_by={"shop-ship-lane": 0})), None),
    Row("longest-retry", declaring(worked_for=7 * 24 * HOUR), W, "168 h"),
    Row("longest-retry", declaring(worked_for=7 * 24 * HOUR - 1), None),
    Row("longest-retry", declaring(), None),
    Row("longest-retry", declaring("shop-gone", worked_for=1e9), None),
    Row("longest-retry", declaring(worked_for=1e9, moved_to="other"), None),
    Row("longest-retry", parked_for(HOUR, longest_delay=HOUR), E, "GLAM_RETRY"),
    Row("longest-retry", parked_for(HOUR, longest_delay=HOUR - 1), None),
    Row("lanes", replace(HEALTHY, parked=Parked(due={("shop", "old"): 4})), W, "has 4 retries"),
    Row("lanes", replace(HEALTHY, parked=Parked(due={("shop", "ship"): 4})), None),
    Row(
        "lanes",
        replace(
            HEALTHY,
            parked=Parked(due={("shop", "old"): 4}),
            durables=(
                durable(),
                durable("lane", filter_subjects=["retry.due.shop.ship", "retry.due.shop.old"]),
            ),
        ),
        None,
    ),
    Row("lanes", replace(HEALTHY, durables=(durable(),)), W, "no durable for its lane"),
    Row("lanes", replace(HEALTHY, durables=(durable(),), unanswered=("STREAM.LIST",)), None),
    Row("lanes", replace(HEALTHY, durables=(durable("lane"),)), W, "no durable for its main"),
    # --- letters ---
    Row("letters-stream", without("GLAM_DLQ"), E, "does not exist"),
    Row("letters-stream", replace(without("GLAM_DLQ"), unseen=("STREAM.INFO.GLAM_DLQ",)), None),
    Row("letters-stream", only_with_legacy(max_age=86_400 * NS), E, "(24 h)"),
    Row("letters-stream", only_with_legacy(max_age=0), W, "no limit of age"),
    Row("letters-discard", with_streams(letters(discard="old")), E, "discard=old with max_bytes"),
    Row("letters-discard", with_streams(letters(discard="old", max_bytes=-1)), None),
    Row("letters-age", with_streams(letters(max_age=3600 * NS)), W, "after 1 h"),
    Row(
        "letters-age",
        replace(with_streams(letters(max_age=3600 * NS)), letters=Letters(3, 0.9 * HOUR)),
        E,
        "54 min old",
    ),
    Row("letters-room", with_streams(letters(max_bytes=100, state={"bytes": 85})), W, "85%"),
    Row("letters-room", with_streams(letters(max_bytes=100, state={"bytes": 97})), E, "97%"),
    Row("letters-waiting", replace(HEALTHY, letters=Letters(7, 72 * HOUR)), N, "7 dead letters"),
]
