"""How what the server has differs from what is declared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import groupby
from typing import Any

from glam_shared.wording import seconds
from glam_worker.declare.filters import covers
from glam_worker.topology.records import DurableRecord, record_of
from glam_worker.topology.specs import (
    NS,
    OWNER_HANDLER,
    OWNER_SERVICE,
    OWNER_WAY,
    PLACEHOLDER,
    ConsumerSpec,
    due_subject,
    filters_of,
)


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference."""

    thing: str
    """``consumer shop-provision`` or ``stream GLAM_RETRY``."""
    field: str
    declared: str
    found: str
    unsafe: bool
    """Whether working with it could lose, replay or misread events."""
    mend: dict[str, Any] = dataclass_field(default_factory=dict, compare=False)
    """The fields of the server's configuration that mend it, None for one to leave out; empty
    where it cannot be changed in place."""

    def __str__(self) -> str:
        return f"{self.thing} has {self.said}"

    @property
    def said(self) -> str:
        """The difference without the thing."""
        return f"{self.field} {self.found} (declared: {self.declared})"


def by_thing(drift: Iterable[Drift]) -> Iterator[tuple[str, list[Drift]]]:
    """The differences of each stream and consumer together, the unsafe ones first."""
    ordered = sorted(drift, key=lambda one: (one.thing, not one.unsafe))
    for thing, several in groupby(ordered, key=lambda one: one.thing):
        yield thing, list(several)


# --- consumers ---


def consumer_drift(spec: ConsumerSpec, info: dict[str, Any]) -> list[Drift]:
    """Every difference between a declared durable and the server's."""
    found, declared = info.get("config", {}), spec.config
    thing = f"consumer {spec.durable} on stream {spec.stream}"
    checks: tuple[tuple[str, str, str, bool, dict[str, Any] | None], ...] = (
        ("owner", _owner(declared), _owner(found), True, _owned(spec, found)),
        ("filter", _filters(declared), _filters(found), _unsafe_filter(spec, found), None),
        ("ack_policy", "explicit", str(found.get("ack_policy", "none")), True, {}),
        ("max_deliver", "-1", str(found.get("max_deliver", -1)), True, {"max_deliver": -1}),
        ("backoff", "none", _backoff(found), True, {"backoff": None}),
        ("headers_only", "no", _yes(found.get("headers_only")), True, {"headers_only": None}),
        ("deliver_subject", "none", str(found.get("deliver_subject") or "none"), True, {}),
        _number("ack_wait", declared, found, _duration),
        _number("max_ack_pending", declared, found, _count),
        _number("inactive_threshold", {"inactive_threshold": 0}, found, _duration),
    )
    drift = [
        Drift(thing, name, wanted, seen, unsafe, _filter_of(spec, found) if mend is None else mend)
        for name, wanted, seen, unsafe, mend in checks
        if wanted != seen
    ]
    return [one for one in drift if one.field != "filter" or not _takes_more(spec, found)]


def position_drift(
    spec: ConsumerSpec, stream: dict[str, Any], info: dict[str, Any], record: DurableRecord | None
) -> list[Drift]:
    """A durable that passed events by while others had given it other subjects.

    The server does not go back for them when the subjects are put right.
    """
    if record is None or not _passed_by(spec, stream, info, record):
        return []
    wanted = f"sequence {record.floor}" if spec.way == "main" else "before all that is due"
    passed = "past events that subjects set by others kept back"
    thing = f"consumer {spec.durable} on stream {spec.stream}"
    return [Drift(thing, "position", wanted, passed, True)]


def _passed_by(
    spec: ConsumerSpec, stream: dict[str, Any], info: dict[str, Any], record: DurableRecord
) -> bool:
    found = record_of(stream, info)
    if found.created in record.strayed:
        return True
    if spec.way == "lane" or not record.filters or not record.same_durable(found):
        return False
    return found.filters != record.filters and not gets_all(spec, info["config"])


def gets_all(spec: ConsumerSpec, found: dict[str, Any]) -> bool:
    """Whether a durable gets all that it should, whatever else it gets: it passes nothing by."""
    seen = filters_of(found)
    return all(any(covers(one, wanted) for one in seen) for wanted in filters_of(spec.config))


def _number(
    name: str, declared: dict[str, Any], found: dict[str, Any], shown: Callable[[int], str]
) -> tuple[str, str, str, bool, dict[str, Any]]:
    wanted = declared[name]
    return name, shown(wanted), shown(int(found.get(name) or 0)), False, {name: wanted}


def _owner(config: dict[str, Any]) -> str:
    metadata = config.get("metadata") or {}
    names = [metadata.get(key) for key in (OWNER_SERVICE, OWNER_HANDLER, OWNER_WAY)]
    return "/".join(map(str, names)) if all(names) else "none"


def _owned(spec: ConsumerSpec, found: dict[str, Any]) -> dict[str, Any]:
    """A durable of nobody can be taken over; one of another handler cannot."""
    if _owner(found) != "none":
        return {}
    kept = {
        key: value
        for key, value in (found.get("metadata") or {}).items()
        if not key.startswith("_nats.")
    }
    return {"metadata": kept | spec.config["metadata"]}


def _filters(config: dict[str, Any]) -> str:
    return ",".join(sorted(filters_of(config)))


def _takes_more(spec: ConsumerSpec, found: dict[str, Any]) -> bool:
    """Whether a lane gets all it should, and what another handler left to it."""
    if spec.way != "lane":
        return False
    ours = due_subject(spec.handler.service, "*")
    seen = filters_of(found)
    wanted = filters_of(spec.config)
    return set(wanted) <= set(seen) and all(covers(ours, one) for one in seen)


def _unsafe_filter(spec: ConsumerSpec, found: dict[str, Any]) -> bool:
    """A lane without what a former name has parked works what it gets; it gets too little."""
    if spec.way != "lane":
        return True
    own = due_subject(spec.handler.service, spec.handler.name)
    ours = due_subject(spec.handler.service, "*")
    seen = filters_of(found)
    return own not in seen or not all(covers(ours, one) for one in seen)


def _filter_of(spec: ConsumerSpec, found: dict[str, Any]) -> dict[str, Any]:
    wanted = filters_of(spec.config)
    if spec.way == "lane":
        ours = due_subject(spec.handler.service, "*")
        wanted += [one for one in filters_of(found) if covers(ours, one) and one not in wanted]
    return filter_fields(wanted)


def filter_fields(subjects: list[str]) -> dict[str, Any]:
    """The fields that give a durable these subjects: the server takes one of the two only."""
    if len(subjects) == 1:
        return {"filter_subject": subjects[0], "filter_subjects": None}
    return {"filter_subject": None, "filter_subjects": subjects}


def _backoff(config: dict[str, Any]) -> str:
    return ",".join(_duration(step) for step in config.get("backoff") or []) or "none"


def _yes(value: object) -> str:
    return "yes" if value else "no"


# --- streams ---


def retry_stream_problems(info: dict[str, Any]) -> list[str]:
    """Why a retry stream found on the server would lose parked events."""
    config = info.get("config", {})
    name = config.get("name", "?")
    problems = [
        f"stream {name} has {limit}={config[limit]}: parked events would be dropped after a good "
        "PubAck; `glam-worker apply MODULE...` removes the limit"
        for limit in ("max_msgs", "max_bytes", "max_msgs_per_subject", "max_age")
        if int(config.get(limit) or -1) > 0
    ]
    if not config.get("allow_msg_schedules"):
        problems.append(
            f"stream {name} does not allow message schedules; `glam-worker apply MODULE...` "
            "allows them"
        )
    if config.get("retention") != "workqueue":
        problems.append(
            f"stream {name} has retention {config.get('retention')}, needed is workqueue; "
            "recreate it"
        )
    return problems


def stream_drift(declared: dict[str, Any], info: dict[str, Any]) -> list[Drift]:
    """Differences of a stream that change what it takes and keeps; none is unsafe.

    What is more than declared is none: other subjects, more replicas, a longer window.
    """
    found = info.get("config", {})
    thing = f"stream {declared['name']}"
    return [
        Drift(thing, name, _shown(name, wanted), _shown(name, seen), False, mend)
        for name, wanted, seen, mend in _differing(declared, found)
    ]


def _differing(
    declared: dict[str, Any], found: dict[str, Any]
) -> Iterator[tuple[str, Any, Any, dict[str, Any]]]:
    subjects = list(found.get("subjects") or [])
    missing = [
        one for one in declared["subjects"] if not any(covers(held, one) for held in subjects)
    ]
    if missing:
        yield (
            "subjects",
            declared["subjects"],
            subjects,
            {"subjects": [*_without_placeholder(subjects), *missing]},
        )
    for name in ("retention", "storage"):  # the server does not change them
        if _unequal(name, declared, found) and found.get(name) != "file":
            yield name, declared[name], found.get(name), {}
    for name in ("discard", "max_age", "max_bytes", "max_msgs", "max_msgs_per_subject"):
        wanted = declared.get(name, _UNLIMITED.get(name))
        if _unequal(name, declared, found) and not (name == "max_age" and _is_bucket(declared)):
            yield name, wanted, found.get(name, _UNLIMITED.get(name)), {name: wanted}
    for name in ("duplicate_window", "num_replicas", "allow_msg_schedules"):
        if declared.get(name, 0) > found.get(name, 0):
            yield name, declared[name], found.get(name, 0), {name: declared[name]}
    if _is_bucket(declared) and _shorter(found.get("max_age", 0), declared.get("max_age", 0)):
        yield "max_age", declared["max_age"], found["max_age"], {"max_age": declared["max_age"]}


def _without_placeholder(subjects: list[str]) -> list[str]:
    return [subject for subject in subjects if subject != PLACEHOLDER]


def _unequal(name: str, declared: dict[str, Any], found: dict[str, Any]) -> bool:
    default = _UNLIMITED.get(name)
    return bool(name in declared or default is not None) and (
        declared.get(name, default) != found.get(name, default)
    )


def _is_bucket(config: dict[str, Any]) -> bool:
    """Buckets are shared: another service may need a longer time."""
    return str(config["name"]).startswith("KV_")


def _shorter(found: int, declared: int) -> bool:
    return bool(found) and (not declared or found < declared)


_UNLIMITED: dict[str, Any] = {
    "max_age": 0,
    "max_bytes": -1,
    "max_msgs": -1,
    "max_msgs_per_subject": -1,
}


def _shown(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if name == "duplicate_window":
        return _duration(value)
    if name in _UNLIMITED and int(value or 0) <= 0:
        return "no limit"
    if name == "allow_msg_schedules":
        return _yes(value)
    return _duration(value) if name == "max_age" else str(value)


def _duration(ns: int) -> str:
    return seconds(ns / NS) if ns else "none"


def _count(number: int) -> str:
    return str(number)
