"""Snapshots, and what one check of the durables says of each."""

from __future__ import annotations

from dataclasses import replace

from tests.doctor.row import E, Row, W
from tests.doctor.seen import HEALTHY, NS, REPLICATED, durable, record, with_main

OF_DURABLES = [
    Row("acknowledgement", with_main(ack_policy="all"), E, "ack_policy=all"),
    Row("max-deliver", with_main(max_deliver=5), E, "max_deliver=5"),
    Row("backoff", with_main(backoff=[NS]), E, "backoff"),
    Row("contents", with_main(headers_only=True), E, "headers_only"),
    Row("contents", with_main(deliver_subject="x"), E, "push"),
    Row("inactivity", with_main(inactive_threshold=5 * NS), E, "after 5 s"),
    Row("pull-limits", with_main(max_batch=10), E, "max_batch=10"),
    Row("pull-limits", with_main(max_expires=5 * NS), E, "max_expires=5s"),
    Row("pull-limits", with_main(max_expires=60 * NS), None),
    Row("kept-as-its-stream", with_main(mem_storage=True), E, "in memory"),
    Row(
        "kept-as-its-stream",
        replace(REPLICATED, durables=(durable(num_replicas=1),)),
        E,
        "1 replica(s), its stream 3",
    ),
    Row("kept-as-its-stream", with_main(num_replicas=1), None),
    Row("ack-wait", with_main(ack_wait=NS), W, "ack_wait=1s"),
    Row("ack-wait", with_main(ack_wait=3600 * NS), W, "ack_wait=3600s"),
    Row("max-ack-pending", with_main(max_ack_pending=100), W, "max_ack_pending=100"),
    Row(
        "max-ack-pending",
        with_main(max_ack_pending=5, numbers={"num_ack_pending": 5, "num_pending": 9}),
        E,
        "9 events wait",
    ),
    Row("paused", with_main(numbers={"paused": True, "pause_remaining": 600 * NS}), None),
    Row("paused", with_main(numbers={"paused": True, "pause_remaining": 7200 * NS}), W, "120 min"),
    Row(
        "paused",
        with_main(numbers={"paused": True, "pause_remaining": 60 * NS, "num_pending": 3}),
        W,
        "3 events wait",
    ),
    Row(
        "paused",
        with_main(oldest=6 * 86_400.0, numbers={"paused": True, "pause_remaining": 90_000 * NS}),
        E,
        "paused",
    ),
    Row("nobody-pulls", with_main(numbers={"num_waiting": 0, "num_pending": 3}), W, "3 events"),
    Row("nobody-pulls", with_main(numbers={"num_waiting": 1, "num_pending": 3}), None),
    Row(
        "nobody-pulls",
        with_main(numbers={"num_waiting": 0, "num_pending": 3, "num_ack_pending": 1}),
        None,
    ),
    Row("near-the-age", with_main(oldest=4 * 86_400.0), E, "96 h"),
    Row("near-the-age", with_main(oldest=3 * 86_400.0), None),
    Row("given-up", with_main(numbers={"num_redelivered": 3, "num_ack_pending": 1}), E, "out 2"),
    Row("given-up", with_main(numbers={"num_redelivered": 3, "num_ack_pending": 3}), None),
    Row("given-up", with_main(metadata={}, numbers={"num_redelivered": 3}), W, "out 3"),
    Row(
        "given-up",
        replace(
            with_main(numbers={"num_redelivered": 2}),
            given_up={("GLAM_EVENTS", "shop-ship"): (4, 9)},
        ),
        E,
        "sequences 4, 9",
    ),
    Row("deleted", replace(HEALTHY, records=(record("shop-old"),)), W, "consumer shop-old"),
    Row("deleted", replace(HEALTHY, records=(record("shop-ship", created=5),)), W, "shop-ship"),
    Row("deleted", replace(HEALTHY, records=(record("shop-ship"),)), None),
    Row("deleted", replace(HEALTHY, records=(record("shop-old", moved_to="new"),)), None),
    Row(
        "deleted",
        replace(
            HEALTHY,
            records=(record("shop-old"),),
            unseen=("publish to $JS.API.CONSUMER.LIST.GLAM_EVENTS",),
        ),
        None,
    ),
    Row("one-owner", replace(HEALTHY, durables=(durable(), durable())), E, "several durables"),
    Row(
        "one-owner",
        with_main(metadata={"glam.service": "shop", "glam.handler": "other", "glam.way": "main"}),
        E,
        "belongs to shop/other",
    ),
]
