"""What differs between declared and observed durables and streams, and what of it is unsafe."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker import Settings
from glam_worker.declare.registry import Registry
from glam_worker.topology.drift import consumer_drift, retry_stream_problems, stream_drift
from glam_worker.topology.specs import (
    NS,
    ConsumerSpec,
    dlq_stream,
    events_stream,
    lane_consumer,
    main_consumer,
    retry_stream,
)

SETTINGS = Settings(service="shop")


class Order(BaseModel):
    number: int = 1


async def place(order: Order) -> None: ...


REGISTRY = Registry()
REGISTRY.on("evt.order.placed.v1", Order, ack_wait=20)(place)
HANDLER = REGISTRY.served_by("shop").handlers[0]
SPEC = main_consumer(HANDLER, "GLAM_EVENTS")
LANE = lane_consumer(HANDLER, SETTINGS)


def found(spec: ConsumerSpec = SPEC, **changes: Any) -> dict[str, Any]:
    """What the server would say of a durable after these changes; None removes a field."""
    config = copy.deepcopy(spec.config)
    config.update(changes)
    return {"config": {name: value for name, value in config.items() if value is not None}}


@pytest.mark.parametrize("spec", [SPEC, LANE])
def test_a_durable_as_declared_has_no_drift(spec: ConsumerSpec) -> None:
    """What was created from a declaration does not differ from it."""
    assert consumer_drift(spec, found(spec)) == []


@pytest.mark.parametrize(
    ("changes", "field", "observed"),
    [
        ({"filter_subject": "evt.>"}, "filter", "evt.>"),
        ({"filter_subject": None}, "filter", ">"),
        ({"filter_subject": None, "filter_subjects": ["evt.a", "evt.b"]}, "filter", "evt.a,evt.b"),
        ({"ack_policy": "none"}, "ack_policy", "none"),
        ({"ack_policy": "all"}, "ack_policy", "all"),
        ({"max_deliver": 3}, "max_deliver", "3"),
        ({"max_deliver": 3, "backoff": [NS, 2 * NS]}, "backoff", "1 s,2 s"),
        ({"headers_only": True}, "headers_only", "yes"),
        ({"metadata": None}, "owner", "none"),
        ({"metadata": {"glam.service": "shop"}}, "owner", "none"),
        (
            {
                "metadata": {
                    "glam.service": "billing",
                    "glam.handler": "place",
                    "glam.way": "main",
                }
            },
            "owner",
            "billing/place/main",
        ),
    ],
)
def test_unsafe_drift_is_told_as_such(changes: dict[str, Any], field: str, observed: str) -> None:
    """Filter, ack policy, max_deliver, backoff, headers_only and owner decide whether to pull."""
    drift = {one.field: one for one in consumer_drift(SPEC, found(**changes))}

    assert drift[field].unsafe
    assert drift[field].found == observed
    assert f"consumer shop-place on stream GLAM_EVENTS has {field} {observed} (declared: " in str(
        drift[field]
    )


@pytest.mark.parametrize(
    ("changes", "field", "observed"),
    [
        ({"ack_wait": 60 * NS}, "ack_wait", "1 min"),
        ({"max_ack_pending": 1000}, "max_ack_pending", "1000"),
    ],
)
def test_safe_drift_is_told_and_lived_with(
    changes: dict[str, Any], field: str, observed: str
) -> None:
    """A different ack_wait or max_ack_pending is drift that a worker can run with."""
    (drift,) = consumer_drift(SPEC, found(**changes))

    assert (drift.field, drift.found, drift.unsafe) == (field, observed, False)


def test_a_lane_is_a_durable_of_its_own_on_the_retry_stream() -> None:
    """Main and lane have their own durables, filters and streams, and count nothing themselves."""
    assert (SPEC.durable, SPEC.stream) == ("shop-place", "GLAM_EVENTS")
    assert (LANE.durable, LANE.stream) == ("shop-place-lane", "GLAM_RETRY")
    assert SPEC.config["filter_subject"] == "evt.order.placed.v1"
    assert LANE.config["filter_subject"] == "retry.due.shop.place"
    for spec in (SPEC, LANE):
        assert spec.config["max_deliver"] == -1
        assert spec.config["max_ack_pending"] == -1
        assert "backoff" not in spec.config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_msgs": 5}, "max_msgs=5"),
        ({"max_bytes": 1000}, "max_bytes=1000"),
        ({"max_age": NS}, f"max_age={NS}"),
        ({"max_msgs_per_subject": 1}, "max_msgs_per_subject=1"),
        ({"allow_msg_schedules": None}, "does not allow message schedules"),
        ({"retention": "limits"}, "needed is workqueue"),
    ],
)
def test_a_retry_stream_that_could_lose_events_is_named(
    changes: dict[str, Any], words: str
) -> None:
    """Any limit, missing schedules or another retention of the retry stream is a problem."""
    config = retry_stream(SETTINGS, 1, "file").config | changes

    (problem,) = retry_stream_problems({"config": config})

    assert "stream GLAM_RETRY" in problem
    assert words in problem


def test_the_retry_stream_we_create_has_no_problem() -> None:
    """What is created by the specification is fit for parking."""
    assert retry_stream_problems({"config": retry_stream(SETTINGS, 1, "file").config}) == []


def test_a_limit_written_as_unlimited_is_none() -> None:
    """The server says -1 or 0 for no limit."""
    unlimited = {"max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msgs_per_subject": -1}
    config = retry_stream(SETTINGS, 1, "file").config | unlimited

    assert retry_stream_problems({"config": config}) == []


def test_streams_that_older_services_made_are_safe_drift() -> None:
    """Other ages and limits are told and lived with; more subjects than ours are no drift."""
    older = {
        "name": "GLAM_EVENTS",
        "subjects": ["evt.>", "cmd.>", "dlq.>"],
        "max_age": 86_400 * NS,
        "max_msgs": 1_000_000,
        "retention": "limits",
        "discard": "old",
        "duplicate_window": 120 * NS,
        "storage": "file",
        "num_replicas": 1,
    }

    drift = stream_drift(events_stream(SETTINGS).config, {"config": older})

    assert {one.field for one in drift} == {"max_age", "max_msgs"}
    assert not any(one.unsafe for one in drift)


@pytest.mark.parametrize(
    ("replicas", "storage"), [(1, "file"), (3, "file"), (1, "memory"), (3, "memory")]
)
def test_retries_and_letters_are_as_safe_as_the_events_they_serve(
    replicas: int, storage: str
) -> None:
    """Retry and dead-letter streams get at least the replicas and the storage of the events."""
    for spec in (
        retry_stream(SETTINGS, replicas, storage),
        dlq_stream(SETTINGS, replicas, storage),
    ):
        assert spec.config["num_replicas"] == replicas
        assert spec.config["storage"] == storage
