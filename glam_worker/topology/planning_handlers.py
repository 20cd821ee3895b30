"""What is to be done about the durables of a handler. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glam_shared.wording import counted
from glam_worker.declare.handler import Handler
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.settings import Settings
from glam_worker.topology import reasons, specs
from glam_worker.topology.beginning import begin_at
from glam_worker.topology.drift import Drift, consumer_drift
from glam_worker.topology.found import Found
from glam_worker.topology.observed import Observed
from glam_worker.topology.plan import (
    Beginning,
    Blocked,
    Change,
    CreateDurable,
    Difference,
    Plan,
    RecordDurable,
    TakeOver,
    UpdateDurable,
)
from glam_worker.topology.records import floor_of
from glam_worker.topology.specs import ConsumerSpec


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user decided."""

    recreate: tuple[str, ...] = ()
    """Handlers whose durable is to be created anew."""
    begin: Beginning = "floor"
    """Where these begin."""
    moves: dict[str, str] = field(default_factory=dict, hash=False)
    """Handlers that are gone, and those that take over."""

    def former(self, handler: Handler) -> tuple[str, ...]:
        """The names whose durables a handler takes over."""
        moved = (old for old, new in self.moves.items() if new == handler.name)
        return tuple(dict.fromkeys((*handler.options.previously, *moved)))


class HandlerPlanner:
    """Plans one handler after the other."""

    def __init__(
        self, plan: Plan, settings: Settings, observed: Observed, choices: Choices
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._observed = observed
        self._found = Found(observed, settings)
        self._choices = choices

    def plan(self, handler: Handler) -> None:
        """Both durables of a handler."""
        stream = self._observed.places[handler.service, handler.name]
        main = specs.main_consumer(handler, stream)
        former = [
            name
            for name in self._choices.former(handler)
            if self._found.left(main, name, moved=name in self._choices.moves)
        ]
        lane = specs.lane_consumer(handler, self._settings, self._also(main))
        if former and self._takes_over(main, lane, former):
            return
        self._main(main)
        self._lane(lane)

    def _also(self, main: ConsumerSpec) -> list[str]:
        """Handlers that are gone, and whose retries the lane works: as decided, now or before."""
        service, name = main.handler.service, main.handler.name
        moved = [old for old, new in self._choices.moves.items() if new == name]
        record = self._found.record(name, main)
        before = record.lanes if record else ()
        return [*moved, *(one for one in before if (service, one) not in self._observed.places)]

    # --- the durable on the events' stream ---

    def _main(self, spec: ConsumerSpec) -> None:
        info = self._found.of(spec)
        if info is not None:
            self._existing(spec, info)
            return
        reason = self._why_not_created(spec)
        record = self._found.record(spec.handler.name, spec)
        if reason is None:
            step = CreateDurable(spec, _begin(spec))
            self._change("create", spec, step, _created(spec))
        elif record is not None and record.created in record.strayed:
            self._go_back(spec, [])
        elif spec.handler.name in self._choices.recreate:
            reason, _, _ = reason.partition("; ")
            self._recreate(spec, reason, record.floor if record else None)
        else:
            self._block(spec, reason)

    def _why_not_created(self, spec: ConsumerSpec) -> str | None:
        if spec.stream not in self._observed.streams and spec.stream in self._observed.had:
            return reasons.stream_gone(spec.handler, spec.stream)
        stream = self._observed.streams.get(spec.stream)
        created = nanoseconds(stream["created"]) if stream else 0
        return reasons.why_not_created(spec, self._found.record(spec.handler.name, spec), created)

    def _existing(self, spec: ConsumerSpec, info: dict[str, Any]) -> None:
        drift = consumer_drift(spec, info)
        stuck = [one for one in drift if not one.mend]
        chosen = spec.handler.name in self._choices.recreate
        if any(one.field == "owner" for one in stuck):
            self._foreign(spec, next(one for one in stuck if one.field == "owner"))
        elif passed := self._found.passed_by(spec, info):
            self._go_back(spec, [*drift, *passed])
        elif stuck and chosen:
            why = "; ".join(one.said for one in stuck)
            self._recreate(spec, why, floor_of(info), anew=True)
        elif stuck:
            self._unchangeable(spec, stuck)
        elif drift:
            self._update(spec, drift)
        elif self._found.made_anew(spec, info):
            self._take(spec, info)
        elif chosen:
            self._plan.notes.append(
                f"consumer {spec.durable} is there and as declared: it is not created anew"
            )

    def _take(self, spec: ConsumerSpec, info: dict[str, Any]) -> None:
        rows = (
            Difference("created", "", str(info["created"])),
            Difference("goes on", "", f"after sequence {floor_of(info)}"),
        )
        why = "it was made anew, and not recorded: it is taken as it is"
        self._change("update", spec, RecordDurable(spec), rows, why)

    def _go_back(self, spec: ConsumerSpec, drift: Sequence[Drift]) -> None:
        """To where it was before others gave it other subjects: nothing else loses nothing."""
        record = self._found.record(spec.handler.name, spec)
        floor = record.floor if record else 0
        rows = tuple(map(Difference.of, drift))
        why = f"what it passed by is worked, what was settled after sequence {floor} once more"
        self._recreate(spec, why, floor, rows, anew=True, back=True)

    def _recreate(
        self,
        spec: ConsumerSpec,
        why: str,
        floor: int | None,
        rows: tuple[Difference, ...] = (),
        *,
        anew: bool = False,
        back: bool = False,
    ) -> None:
        begin = self._choices.begin if spec.handler.name in self._choices.recreate else "floor"
        record = self._found.record(spec.handler.name, spec)
        kept = begin == "floor" and (back or not anew)
        problem = self._found.no_floor(spec, record, floor) if kept else None
        if problem:
            self._block(spec, f"{problem}; choose --from new|all")
            return
        step = CreateDurable(spec, begin_at(begin, floor or 0), anew, back)
        said = {"floor": f"after sequence {floor}", "new": "with what comes from now on"}
        where = said.get(begin, "with the first event that the stream keeps")
        self._change("recreate", spec, step, (*rows, Difference("begins", "", where)), why)

    # --- the lane ---

    def _lane(self, spec: ConsumerSpec) -> None:
        info = self._found.of(spec)
        if info is None:
            self._change("create", spec, CreateDurable(spec, _begin(spec)), _created(spec))
            return
        drift = [*consumer_drift(spec, info), *self._found.passed_by(spec, info)]
        owner = next((one for one in drift if one.field == "owner" and not one.mend), None)
        if owner is not None:
            self._foreign(spec, owner)
        elif any(not one.mend or one.field == "filter" for one in drift):
            # Nothing is replayed or lost: what is due waits in the stream. With other subjects
            # the server would not go back to what is due already.
            step = CreateDurable(_with_all(spec, drift), _begin(spec), anew=True)
            self._change("recreate", spec, step, tuple(map(Difference.of, drift)))
        elif drift:
            self._update(spec, drift)

    # --- taking over ---

    def _takes_over(self, main: ConsumerSpec, lane: ConsumerSpec, former: Sequence[str]) -> bool:
        """Plan it; False where something keeps it from being done."""
        found = self._found.of(main)
        problem = self._found.not_at_the_floor(main, former)
        if found is not None and not problem:
            self._existing(main, found)
        if problem:
            self._block(main, problem)
            return True
        step = TakeOver(main, lane, tuple(former))
        self._change("move", main, step, self._taken(main, found, former), "takes over")
        return True

    def _taken(
        self, main: ConsumerSpec, found: dict[str, Any] | None, former: Sequence[str]
    ) -> tuple[Difference, ...]:
        service = main.handler.service
        rows = []
        floors = []
        for name in former:
            old = self._found.former(main.stream, service, name, "main")
            record = self._found.record(name, main)
            if old is not None or record is not None:
                floors.append(floor_of(old) if old is not None else record.floor if record else 0)
            parked = self._observed.parked.get((service, name))
            left = counted(parked.count if parked else 0, "parked retry", "parked retries")
            rows.append(Difference("handler", name, f"{main.handler.name}, with {left}"))
        if found is None:
            begins = (
                f"after sequence {min(floors)}" if floors else str(main.config["deliver_policy"])
            )
            rows.append(Difference("begins", "", begins))
        return tuple(rows)

    # --- words ---

    def _change(
        self,
        action: Any,
        spec: ConsumerSpec,
        step: CreateDurable | UpdateDurable | RecordDurable | TakeOver,
        differences: tuple[Difference, ...],
        why: str = "",
    ) -> None:
        thing = f"consumer {spec.durable}"
        change = Change(action, thing, step, differences, why, spec.handler.name)
        self._plan.changes.append(change)

    def _update(self, spec: ConsumerSpec, drift: Sequence[Drift]) -> None:
        mend = {name: value for one in drift for name, value in one.mend.items()}
        step = UpdateDurable(spec, mend)
        self._change("update", spec, step, tuple(map(Difference.of, drift)))

    def _block(self, spec: ConsumerSpec, reason: str) -> None:
        problem, _, remedy = reason.partition("; ")
        blocked = Blocked(f"consumer {spec.durable}", problem, remedy, True, spec.handler.name)
        self._plan.blocked.append(blocked)

    def _foreign(self, spec: ConsumerSpec, drift: Drift) -> None:
        remedy = f"give handler {spec.handler.name} another name, or that one"
        problem = f"it belongs to {drift.found} (service/handler/way)"
        blocked = Blocked(f"consumer {spec.durable}", problem, remedy, True, spec.handler.name)
        self._plan.blocked.append(blocked)

    def _unchangeable(self, spec: ConsumerSpec, drift: Sequence[Drift]) -> None:
        said = "; ".join(one.said for one in drift)
        name = spec.handler.name
        remedy = f"`glam-worker apply MODULE... --recreate {name} --from floor` makes it anew"
        self._plan.blocked.append(Blocked(f"consumer {spec.durable}", said, remedy, True, name))


def _begin(spec: ConsumerSpec) -> dict[str, Any]:
    fields = ("deliver_policy", "opt_start_time")
    return {name: spec.config[name] for name in fields if name in spec.config}


def _with_all(spec: ConsumerSpec, drift: Sequence[Drift]) -> ConsumerSpec:
    """A lane with the subjects, too, that another handler had left to the one that is there."""
    fields = (one.mend for one in drift if one.field == "filter")
    config = {**spec.config, **next(fields, {})}
    return replace(spec, config={name: it for name, it in config.items() if it is not None})


def _created(spec: ConsumerSpec) -> tuple[Difference, ...]:
    filters = spec.config.get("filter_subjects") or [spec.config["filter_subject"]]
    rows = [Difference("stream", "", spec.stream), Difference("filter", "", ", ".join(filters))]
    if spec.way == "main":
        begins = spec.config.get("opt_start_time") or spec.config["deliver_policy"]
        rows.append(Difference("begins", "", str(begins)))
    return tuple(rows)
