"""The plan for some handlers: desired against observed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glam_worker.declare.handler import Handler
from glam_worker.errors import UsageError
from glam_worker.settings import Settings
from glam_worker.topology import specs
from glam_worker.topology.drift import filter_fields
from glam_worker.topology.observed import Observed
from glam_worker.topology.orphans import orphans_of, owner_of
from glam_worker.topology.plan import Change, Difference, Plan, UpdateDurable
from glam_worker.topology.planning_handlers import Choices, HandlerPlanner
from glam_worker.topology.planning_streams import (
    letter_stream,
    plan_letters,
    plan_stream,
    wanted_streams,
)


def plan_of(
    service: str,
    handlers: Sequence[Handler],
    settings: Settings,
    observed: Observed,
    choices: Choices = Choices(),  # noqa: B008 - frozen
) -> Plan:
    """What is to be done for these handlers, in order.

    Raises UsageError for a choice about a handler that is not declared, or never was.
    """
    check_choices(choices, handlers)
    _check_moved(choices, service, observed)
    observed = replace(observed, consumers=dict(observed.consumers))
    plan = Plan(service)
    events = [observed.stream_config(name) for name in observed.places.values()]
    configs = [config for config in events if config]
    kept = max((handler.options.remembered_for or 0.0 for handler in handlers), default=0.0)
    state, *others = wanted_streams(settings, configs, kept)
    plan_stream(plan, state, observed)  # first: what is created is recorded in it
    _events_stream(plan, handlers, settings, observed, choices)
    for spec in others:
        plan_stream(plan, spec, observed)
    plan_letters(plan, letter_stream(settings, configs), observed)
    _give_back(plan, handlers, settings, observed)
    planner = HandlerPlanner(plan, settings, observed, choices)
    for handler in handlers:
        planner.plan(handler)
    services = {service, *(handler.service for handler in handlers)}
    plan.orphans = [
        orphan
        for orphan in orphans_of(observed, services, settings.retry_stream)
        if not any(orphan.handler in choices.former(handler) for handler in handlers)
    ]
    return plan


def check_choices(choices: Choices, handlers: Sequence[Handler]) -> None:
    """Raise UsageError where a choice names what is not there, or what is."""
    names = [handler.name for handler in handlers]
    known = ", ".join(names)
    for name in choices.recreate:
        if name not in names:
            raise UsageError(f"--recreate {name}: no handler is called that; there are {known}")
    for old, new in choices.moves.items():
        if new not in names:
            raise UsageError(f"--move {old}={new}: no handler is called {new}; there are {known}")
        if old in names:
            raise UsageError(f"--move {old}={new}: handler {old} is declared; it works its own")
    claimed: dict[str, str] = {}
    for handler in handlers:
        for name in choices.former(handler):
            other = claimed.setdefault(name, handler.name)
            if other != handler.name:
                raise UsageError(
                    f"the handlers {other} and {handler.name} both take over from {name}; "
                    "its position and its parked retries can go to one only"
                )


def _check_moved(choices: Choices, service: str, observed: Observed) -> None:
    """Raise UsageError for a handler that never was: it would take nothing over, for good."""
    owners = map(owner_of, observed.consumers.values())
    known = {*observed.records, *observed.parked, *filter(None, owners)}
    names = {name for _, name in observed.consumers}
    for old, new in choices.moves.items():
        if (service, old) not in known and f"{service}-{old}" not in names:
            raise UsageError(
                f"--move {old}={new}: service {service} has had no handler {old}: there is no "
                "consumer, no record and no parked retry of it"
            )


def _events_stream(
    plan: Plan,
    handlers: Sequence[Handler],
    settings: Settings,
    observed: Observed,
    choices: Choices,
) -> None:
    """Ours is created for new handlers, and where it was deleted by a decision only."""
    spec = specs.events_stream(settings)
    using = [one for one in handlers if observed.places[one.service, one.name] == spec.name]
    gone = spec.name in observed.had and spec.name not in observed.streams
    decided = any(handler.name in choices.recreate for handler in using)
    if using and (not gone or decided):
        plan_stream(plan, spec, observed)


def _give_back(
    plan: Plan, handlers: Sequence[Handler], settings: Settings, observed: Observed
) -> None:
    """A lane that took over from a name must let go when a handler has that name again."""
    for handler in handlers:
        lane = specs.lane_consumer(handler, settings)
        info = observed.consumers.get((lane.stream, lane.durable))
        if info is None:
            continue
        others = {
            specs.due_subject(other.service, other.name) for other in handlers if other != handler
        }
        held = specs.filters_of(info["config"])
        kept = [subject for subject in held if subject not in others]
        if kept and kept != held:
            step = UpdateDurable(lane, filter_fields(kept))
            rows = (Difference("filter", ",".join(held), ",".join(kept)),)
            thing = f"consumer {lane.durable}"
            plan.changes.append(Change("update", thing, step, rows, "", handler.name))
            observed.consumers[lane.stream, lane.durable] = {
                **info,
                "config": {**info["config"], **filter_fields(kept)},
            }


__all__ = ["Choices", "check_choices", "plan_of"]
