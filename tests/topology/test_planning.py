"""What a plan says, for what a server can have: pure, without a server."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker.declare.handler import Handler
from glam_worker.declare.registry import Registry
from glam_worker.errors import UsageError
from glam_worker.settings import Settings
from glam_worker.testing.factory import BenchSettings
from glam_worker.topology import specs
from glam_worker.topology.observed import Observed, OldLetters, Parked
from glam_worker.topology.plan import CreateDurable, Plan, UpdateDurable, UpdateStream
from glam_worker.topology.planning import Choices, plan_of
from glam_worker.topology.planning_streams import letter_stream, wanted_streams
from glam_worker.topology.records import DurableRecord
from glam_worker.topology.specs import NS

SETTINGS: Settings = BenchSettings(service="shop")
OWNER = ("shop", "place")
CREATED = "2026-11-01T12:00:00.5Z"
CREATED_NS = 1793534400_500000000
UNDECIDED = Choices()
NOW = datetime(2026, 11, 10, tzinfo=UTC)


class Order(BaseModel):
    number: int = 1


async def place(order: Order) -> None: ...


def handlers(**options: Any) -> tuple[Handler, ...]:
    """One handler of the service shop."""
    registry = Registry()
    registry.on("evt.order.placed.v1", Order, **options)(place)
    return registry.served_by("shop").handlers


def stream(config: dict[str, Any], **state: Any) -> dict[str, Any]:
    """What the server says of a stream."""
    return {
        "config": {"num_replicas": 1, **copy.deepcopy(config)},
        "created": CREATED,
        "state": {"messages": 0, "bytes": 0, "last_seq": 500, "num_subjects": 1, **state},
    }


def durable(spec: specs.ConsumerSpec, floor: int = 0, **config: Any) -> dict[str, Any]:
    """What the server says of a durable."""
    merged = {**copy.deepcopy(spec.config), **config}
    return {
        "name": spec.durable,
        "stream_name": spec.stream,
        "created": CREATED,
        "config": {name: value for name, value in merged.items() if value is not None},
        "ack_floor": {"stream_seq": floor},
        "num_pending": 0,
        "num_ack_pending": 0,
    }


def complete(declared: tuple[Handler, ...]) -> Observed:
    """A server that has all that these handlers need, and its records."""
    seen = Observed(now=NOW)
    events = specs.events_stream(SETTINGS)
    own = [events, *wanted_streams(SETTINGS, [], 0.0), letter_stream(SETTINGS, [])]
    seen.streams = {spec.name: stream(spec.config) for spec in own}
    seen.had = frozenset(seen.streams)
    seen.letters_held_by = [SETTINGS.dlq_stream]
    for handler in declared:
        owner = handler.service, handler.name
        seen.places[owner] = events.name
        main, lane = (
            specs.main_consumer(handler, events.name),
            specs.lane_consumer(handler, SETTINGS),
        )
        seen.consumers |= {(one.stream, one.durable): durable(one, 7) for one in (main, lane)}
        seen.records[owner] = DurableRecord(events.name, CREATED_NS, main.durable, CREATED_NS, 7)
    return seen


def planned(
    change: Callable[[Observed], Any], choices: Choices = UNDECIDED, **options: Any
) -> Plan:
    """The plan for one handler on a server that is complete but for a change."""
    declared = handlers(**options)
    seen = complete(declared)
    change(seen)
    return plan_of("shop", declared, SETTINGS, seen, choices)


def nothing(_: Observed) -> None: ...


def without(*durables: str) -> Callable[[Observed], None]:
    """Durables are gone."""

    def change(seen: Observed) -> None:
        for key in [key for key in seen.consumers if key[1] in durables]:
            del seen.consumers[key]

    return change


def old_handler(
    seen: Observed, *, backlog: int = 3, floor: int = 40, service: str = "shop"
) -> None:
    """A handler ``old`` worked the same events and is not declared."""
    (declared,) = handlers(name="old")
    main, lane = (
        specs.main_consumer(declared, "GLAM_EVENTS"),
        specs.lane_consumer(declared, SETTINGS),
    )
    for spec in (main, lane):
        info = durable(spec, floor)
        info["config"]["metadata"] = {**spec.config["metadata"], specs.OWNER_SERVICE: service}
        info["num_pending"] = backlog if spec is main else 0
        seen.consumers[spec.stream, spec.durable] = info
    seen.parked["shop", "old"] = Parked(2, 3600.0)


def described(plan: Plan) -> list[tuple[str, str]]:
    """Action and thing of each change."""
    return [(change.action, change.thing) for change in plan.changes]


def test_nothing_is_to_be_done_where_all_is_as_declared() -> None:
    """A complete server has no change, no blocked thing, no orphan and no note."""
    plan = planned(nothing)

    assert (plan.changes, plan.blocked, plan.orphans, plan.notes) == ([], [], [], [])
    assert not plan.pending


def test_an_empty_server_gets_everything_in_an_order_that_works() -> None:
    """The bucket of records comes first, streams before the durables on them."""
    declared = handlers()
    seen = Observed(now=NOW, places={OWNER: "GLAM_EVENTS"})

    plan = plan_of("shop", declared, SETTINGS, seen)

    assert described(plan) == [
        ("create", "stream KV_GLAM_STATE"),
        ("create", "stream GLAM_EVENTS"),
        ("create", "stream GLAM_RETRY"),
        ("create", "stream KV_GLAM_LEDGER"),
        ("create", "stream GLAM_DLQ"),
        ("create", "consumer shop-place"),
        ("create", "consumer shop-place-lane"),
    ]
    assert plan.pending


@pytest.mark.parametrize(
    ("config", "mend"),
    [
        ({"ack_wait": 5 * NS}, {"ack_wait": 30 * NS}),
        ({"max_ack_pending": 100}, {"max_ack_pending": -1}),
        ({"max_deliver": 3}, {"max_deliver": -1}),
        ({"backoff": [NS]}, {"backoff": None}),
        ({"headers_only": True}, {"headers_only": None}),
        ({"inactive_threshold": 60 * NS}, {"inactive_threshold": 0}),
        (
            {"filter_subject": "evt.>"},
            {"filter_subject": "evt.order.placed.v1", "filter_subjects": None},
        ),
        (
            {"metadata": {"team": "a"}},
            {
                "metadata": {
                    "team": "a",
                    "glam.service": "shop",
                    "glam.handler": "place",
                    "glam.way": "main",
                }
            },
        ),
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_durable_that_differs_is_changed_in_place(
    config: dict[str, Any], mend: dict[str, Any]
) -> None:
    """Only what differs is changed; a durable of nobody is taken over."""

    def change(seen: Observed) -> None:
        seen.consumers["GLAM_EVENTS", "shop-place"]["config"].update(config)

    (made,) = planned(change).changes

    assert (made.action, made.thing) == ("update", "consumer shop-place")
    assert isinstance(made.step, UpdateDurable)
    assert (made.step.spec.durable, made.step.mend) == ("shop-place", mend)


def test_a_durable_that_cannot_be_changed_needs_a_decision() -> None:
    """The server does not change an ack policy: the remedy is to make the durable anew."""

    def change(seen: Observed) -> None:
        seen.consumers["GLAM_EVENTS", "shop-place"]["config"]["ack_policy"] = "all"

    plan = planned(change)
    (blocked,) = plan.stopped
    assert plan.changes == []
    assert plan.pending
    assert "--recreate place --from floor" in blocked.remedy

    (made,) = planned(change, Choices(("place",), "floor")).changes
    assert isinstance(made.step, CreateDurable)
    assert made.step.anew
    assert made.step.begin == {"deliver_policy": "by_start_sequence", "opt_start_seq": 8}


def test_a_durable_of_another_service_is_left_alone() -> None:
    """Whatever is chosen: the remedy is another name."""

    def change(seen: Observed) -> None:
        metadata = {"glam.service": "billing", "glam.handler": "x", "glam.way": "main"}
        seen.consumers["GLAM_EVENTS", "shop-place"]["config"]["metadata"] = metadata

    for choices in (Choices(), Choices(("place",), "all")):
        plan = planned(change, choices)
        assert plan.changes == []
        assert "billing/x/main" in plan.stopped[0].problem


def test_a_deleted_durable_needs_a_decision() -> None:
    """It is not created again by itself; the plan is pending, and names the command."""
    plan = planned(without("shop-place"))

    assert plan.changes == []
    assert plan.pending
    assert "up to sequence 7" in plan.stopped[0].problem
    assert "--recreate place --from floor|new|all" in plan.stopped[0].remedy


@pytest.mark.parametrize(
    ("begin", "config"),
    [
        ("floor", {"deliver_policy": "by_start_sequence", "opt_start_seq": 8}),
        ("new", {"deliver_policy": "new"}),
        ("all", {"deliver_policy": "all"}),
    ],
)
def test_the_decision_says_where_a_deleted_durable_begins(
    begin: Any, config: dict[str, Any]
) -> None:
    """At its floor, with what is new, or with all that the stream keeps."""
    (made,) = planned(without("shop-place"), Choices(("place",), begin)).changes

    assert (made.action, made.thing) == ("recreate", "consumer shop-place")
    assert isinstance(made.step, CreateDurable)
    assert made.step.begin == config


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"stream_created": CREATED_NS - 1}, "another one than that of its position"),
        ({"stream": "OTHER"}, "one of another stream"),
        ({"floor": 501}, "ends before its position"),
    ],
)
def test_a_position_is_used_in_its_own_stream_only(record: dict[str, Any], words: str) -> None:
    """A floor of a stream that was made anew, is another, or was restored would skip events."""

    def change(seen: Observed) -> None:
        without("shop-place")(seen)
        known = {"stream": "GLAM_EVENTS", "stream_created": CREATED_NS, "durable": "shop-place"}
        seen.records[OWNER] = DurableRecord(**{**known, "created": 1, "floor": 7, **record})

    plan = planned(change, Choices(("place",), "floor"))
    assert plan.changes == []
    assert words in plan.stopped[0].problem
    assert "--from new|all" in plan.stopped[0].remedy

    assert described(planned(change, Choices(("place",), "all"))) == [
        ("recreate", "consumer shop-place")
    ]


def test_what_exists_is_not_created_anew_twice() -> None:
    """The decision given again, after it was carried out, changes nothing."""
    plan = planned(nothing, Choices(("place",), "all"))

    assert plan.changes == []
    assert "not created anew" in plan.notes[0]


def test_a_deleted_stream_is_created_by_the_decision_only() -> None:
    """Without one, its handler is blocked and the stream stays away."""

    def change(seen: Observed) -> None:
        without("shop-place")(seen)
        del seen.streams["GLAM_EVENTS"]

    plan = planned(change)
    assert plan.changes == []
    assert "stream GLAM_EVENTS was deleted" in plan.stopped[0].problem

    assert described(planned(change, Choices(("place",), "all"))) == [
        ("create", "stream GLAM_EVENTS"),
        ("recreate", "consumer shop-place"),
    ]


def test_a_missing_lane_is_created() -> None:
    """A lane replays and skips nothing: it needs no decision."""
    assert described(planned(without("shop-place-lane"))) == [
        ("create", "consumer shop-place-lane")
    ]


# --- streams ---


@pytest.mark.parametrize(
    ("name", "config", "mend"),
    [
        ("GLAM_EVENTS", {"max_age": 86_400 * NS}, {"max_age": 7 * 86_400 * NS}),
        ("GLAM_EVENTS", {"max_msgs": 1_000_000}, {"max_msgs": -1}),
        ("GLAM_EVENTS", {"subjects": ["evt.>", "x.>"]}, {"subjects": ["evt.>", "x.>", "cmd.>"]}),
        ("GLAM_RETRY", {"max_bytes": 1000}, {"max_bytes": -1}),
        ("GLAM_RETRY", {"allow_msg_schedules": False}, {"allow_msg_schedules": True}),
        ("GLAM_DLQ", {"discard": "old"}, {"discard": "new"}),
        ("GLAM_DLQ", {"duplicate_window": 120 * NS}, {"duplicate_window": 1800 * NS}),
        ("KV_GLAM_STATE", {"max_age": 60 * NS}, {"max_age": 0}),
    ],
)
def test_a_stream_that_keeps_less_is_changed_in_place(
    name: str, config: dict[str, Any], mend: dict[str, Any]
) -> None:
    """Limits are raised and subjects added; what is more than declared stays."""
    (made,) = planned(lambda seen: seen.streams[name]["config"].update(config)).changes

    assert (made.action, made.thing) == ("update", f"stream {name}")
    assert made.step == UpdateStream(name, mend)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("GLAM_EVENTS", {"subjects": ["evt.>", "cmd.>", "more.>"]}),
        ("GLAM_DLQ", {"num_replicas": 3}),
        ("GLAM_RETRY", {"duplicate_window": 3600 * NS}),
    ],
)
def test_a_stream_with_more_than_declared_is_left_alone(name: str, config: dict[str, Any]) -> None:
    """Others may need it."""
    assert not planned(lambda seen: seen.streams[name]["config"].update(config)).pending


@pytest.mark.parametrize(
    ("name", "config", "state"),
    [
        ("GLAM_EVENTS", {"max_age": 0}, {"messages": 1, "first_ts": "2026-11-02T00:00:00Z"}),
        ("GLAM_DLQ", {"max_bytes": -1}, {"messages": 9, "bytes": 2 << 30}),
    ],
)
def test_a_limit_that_would_remove_messages_is_not_set(
    name: str, config: dict[str, Any], state: dict[str, Any]
) -> None:
    """That is said, and is no pending change."""

    def change(seen: Observed) -> None:
        seen.streams[name]["config"].update(config)
        seen.streams[name]["state"].update(state)

    plan = planned(change)

    assert not plan.pending
    assert "would remove" in plan.notes[0]


def test_a_limit_that_removes_nothing_is_set() -> None:
    """The same limits on a stream whose messages are young and few."""

    def change(seen: Observed) -> None:
        seen.streams["GLAM_EVENTS"]["config"]["max_age"] = 0
        young = {"messages": 1, "first_ts": "2026-11-09T00:00:00Z"}
        seen.streams["GLAM_EVENTS"]["state"].update(young)

    assert described(planned(change)) == [("update", "stream GLAM_EVENTS")]


def test_what_a_server_does_not_change_is_said() -> None:
    """Storage cannot be changed; a worker works, so it is no pending change."""
    plan = planned(lambda seen: seen.streams["GLAM_DLQ"]["config"].update(storage="memory"))

    assert not plan.pending
    assert plan.blocked[0].problem == "storage memory (declared: file)"


def test_letters_of_older_services_are_to_be_moved() -> None:
    """A stream of events that holds dlq.> is a pending change, which creates the letters' own."""

    def change(seen: Observed) -> None:
        seen.streams["GLAM_EVENTS"]["config"]["subjects"].append("dlq.>")
        del seen.streams["GLAM_DLQ"]
        seen.letters_held_by = ["GLAM_EVENTS"]
        seen.old_letters = OldLetters("GLAM_EVENTS", 12, held=True)

    plan = planned(change)

    assert described(plan) == [("move", "dead letters")]
    assert "12 letters" in plan.changes[0].why


def test_letters_that_were_left_behind_are_to_be_copied() -> None:
    """An interrupted move goes on, also where the stream of events has let go already."""

    def change(seen: Observed) -> None:
        seen.old_letters = OldLetters("GLAM_EVENTS", 12, held=False)

    assert described(planned(change)) == [("copy", "dead letters")]


def test_letters_in_a_stream_of_others_stay_there() -> None:
    """A stream that somebody made for them is used; that is said."""

    def change(seen: Observed) -> None:
        del seen.streams["GLAM_DLQ"]
        seen.letters_held_by = ["GRAVES"]

    plan = planned(change)

    assert not plan.pending
    assert "GLAM_DLQ_STREAM=GRAVES" in plan.notes[0]


# --- handlers that are gone ---


def test_what_a_handler_left_behind_is_shown_with_its_backlog() -> None:
    """Durables, events, parked retries and ages; it is no pending change."""
    plan = planned(old_handler)
    (orphan,) = plan.orphans

    assert not plan.pending
    assert (orphan.handler, orphan.backlog, orphan.parked, orphan.parked_oldest) == (
        "old",
        3,
        2,
        3600.0,
    )
    assert set(orphan.durables) == {"shop-old on GLAM_EVENTS", "shop-old-lane on GLAM_RETRY"}
    assert "previously=('old',)" in orphan.remedy
    assert "--move old=NEW" in orphan.remedy


def test_what_a_worker_pulls_is_not_told_to_be_deleted() -> None:
    """A module that was not named declares it; the commands that delete it are not shown."""

    def change(seen: Observed) -> None:
        old_handler(seen)
        seen.consumers["GLAM_EVENTS", "shop-old"]["num_waiting"] = 1

    (orphan,) = planned(change).orphans

    assert orphan.worked
    assert "a worker pulls it now" in orphan.remedy
    assert "consumer rm" not in orphan.remedy


def test_durables_of_other_services_are_no_orphans() -> None:
    """They are somebody's."""

    def change(seen: Observed) -> None:
        old_handler(seen, service="billing")
        seen.parked.clear()

    assert planned(change).orphans == []


@pytest.mark.parametrize("by", ["declaration", "option"])
def test_a_renamed_handler_takes_over(by: str) -> None:
    """It begins after the old ack floor and takes the parked retries; the old durables end."""

    def change(seen: Observed) -> None:
        without("shop-place", "shop-place-lane")(seen)
        del seen.records[OWNER]
        old_handler(seen)

    if by == "declaration":
        plan = planned(change, previously="old")
    else:
        plan = planned(change, Choices(moves={"old": "place"}))
    (made,) = plan.changes

    assert (made.action, made.thing) == ("move", "consumer shop-place")
    said = {one.field: one.declared for one in made.differences}
    assert said == {"handler": "place, with 2 parked retries", "begins": "after sequence 40"}
    assert plan.orphans == []


def test_an_interrupted_take_over_goes_on() -> None:
    """The new durable began at the old floor: what is left of the old name can end."""

    def change(seen: Observed) -> None:
        old_handler(seen, floor=45)
        began = {"deliver_policy": "by_start_sequence", "opt_start_seq": 41}
        seen.consumers["GLAM_EVENTS", "shop-place"]["config"].update(began)

    assert described(planned(change, previously="old")) == [("move", "consumer shop-place")]


def test_a_take_over_that_would_skip_events_is_refused() -> None:
    """A new durable that began later than the old floor does not get the old backlog."""

    def change(seen: Observed) -> None:
        old_handler(seen)
        began = {"deliver_policy": "new"}
        seen.consumers["GLAM_EVENTS", "shop-place"]["config"].update(began)

    plan = planned(change, previously="old")

    assert plan.changes == []
    assert "3 events of old would be skipped" in plan.stopped[0].problem


def test_an_old_handler_without_backlog_can_always_be_taken_over() -> None:
    """Where nothing waits, nothing can be skipped."""

    def change(seen: Observed) -> None:
        old_handler(seen, backlog=0)
        seen.consumers["GLAM_EVENTS", "shop-place"]["config"].update(deliver_policy="new")

    assert described(planned(change, previously="old")) == [("move", "consumer shop-place")]


def test_a_lane_gives_back_what_a_handler_works_again() -> None:
    """A name that was taken over, and is declared again, gets its lane back first."""
    registry = Registry()
    registry.on("evt.order.placed.v1", Order)(place)
    registry.on("evt.order.placed.v1", Order, name="old")(place)
    declared = registry.served_by("shop").handlers
    seen = complete(declared)
    without("shop-old-lane")(seen)
    both = ["retry.due.shop.place", "retry.due.shop.old"]
    lane = seen.consumers["GLAM_RETRY", "shop-place-lane"]["config"]
    lane.pop("filter_subject")
    lane["filter_subjects"] = both

    plan = plan_of("shop", declared, SETTINGS, seen)

    assert described(plan) == [
        ("update", "consumer shop-place-lane"),
        ("create", "consumer shop-old-lane"),
    ]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (Choices(("absent",), "all"), "--recreate absent"),
        (Choices(moves={"old": "absent"}), "--move old=absent"),
        (Choices(moves={"place": "place"}), "handler place is declared"),
        (Choices(moves={"plaec": "place"}), "service shop has had no handler plaec"),
    ],
)
def test_a_choice_about_no_handler_is_wrong_usage(choices: Choices, words: str) -> None:
    """The error names the option and the handlers that there are, or that there never was one."""
    with pytest.raises(UsageError, match=words):
        planned(nothing, choices)


def test_the_document_of_a_plan_is_json() -> None:
    """Every part of a plan is in it, by names that stay."""

    def change(seen: Observed) -> None:
        without("shop-place")(seen)
        old_handler(seen)
        seen.streams["GLAM_EVENTS"]["config"]["max_msgs"] = 5

    document = json.loads(json.dumps(planned(change).document()))

    assert set(document) == {"service", "pending", "changes", "blocked", "orphans", "notes"}
    assert document["changes"] == [
        {
            "action": "update",
            "thing": "stream GLAM_EVENTS",
            "handler": None,
            "why": "",
            "differences": [{"field": "max_msgs", "found": "5", "declared": "no limit"}],
        }
    ]
    assert document["blocked"][0]["handler"] == "place"
    assert document["orphans"][0]["parked"] == 2


def test_a_lane_that_is_made_anew_keeps_what_another_handler_left_to_it() -> None:
    """Its own subject is missing: with it, it gets the other one as before."""

    def change(seen: Observed) -> None:
        config = seen.consumers["GLAM_RETRY", "shop-place-lane"]["config"]
        config.pop("filter_subject", None)
        config["filter_subjects"] = ["retry.due.shop.gone", "retry.due.shop.older"]

    (made,) = planned(change).changes

    assert (made.action, made.thing) == ("recreate", "consumer shop-place-lane")
    assert isinstance(made.step, CreateDurable)
    assert set(specs.filters_of(made.step.spec.config)) == {
        "retry.due.shop.gone",
        "retry.due.shop.older",
        "retry.due.shop.place",
    }
