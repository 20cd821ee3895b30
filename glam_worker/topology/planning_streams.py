"""What is to be done about the streams and buckets of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from glam_shared.wording import counted, seconds
from glam_worker.settings import Settings
from glam_worker.topology import specs
from glam_worker.topology.drift import Drift, stream_drift
from glam_worker.topology.observed import Observed, OldLetters
from glam_worker.topology.plan import (
    Blocked,
    Change,
    CreateStream,
    Difference,
    MoveLetters,
    Plan,
    UpdateStream,
)
from glam_worker.topology.specs import NS, StreamSpec


def wanted_streams(
    settings: Settings, events: Sequence[dict[str, Any]], claims_kept: float
) -> tuple[StreamSpec, ...]:
    """The bucket of records, the retry stream and other buckets, as safe as the events found."""
    safety = (settings, replicas_of(events), storage_of(events))
    claims = [specs.bucket(specs.CLAIMS, claims_kept, *safety)] if claims_kept else []
    state = specs.bucket(specs.STATE, 0.0, *safety)
    ledger = specs.bucket(specs.LEDGER, specs.LEDGER_KEPT, *safety)
    return (state, specs.retry_stream(*safety), ledger, *claims)


def letter_stream(settings: Settings, events: Sequence[dict[str, Any]]) -> StreamSpec:
    """The stream of dead letters, as safe as the streams of events found."""
    return specs.dlq_stream(settings, replicas_of(events), storage_of(events))


def replicas_of(configs: Sequence[dict[str, Any]]) -> int:
    """As many as the safest of these streams has."""
    return max((int(config.get("num_replicas", 1)) for config in configs), default=1)


def storage_of(configs: Sequence[dict[str, Any]]) -> str:
    """Memory only where all of these streams are in memory."""
    stored = {config.get("storage", "file") for config in configs}
    return "file" if "file" in stored or not stored else "memory"


def plan_stream(plan: Plan, spec: StreamSpec, observed: Observed) -> None:
    """Create it, or change what can be changed."""
    thing = f"stream {spec.name}"
    info = observed.streams.get(spec.name)
    if info is None:
        why = "was deleted; what it held is lost" if spec.name in observed.had else ""
        created = Change("create", thing, CreateStream(spec), _created(spec), why)
        plan.changes.append(created)
        return
    drift = stream_drift(spec.config, info)
    mended = [one for one in drift if one.mend and not loss(one.mend, info, observed.now)]
    if mended:
        mend = {name: value for one in mended for name, value in one.mend.items()}
        differences = tuple(map(Difference.of, mended))
        plan.changes.append(Change("update", thing, UpdateStream(spec.name, mend), differences))
    for one in drift:
        _plan_left_over(plan, one, info, observed.now)


def _plan_left_over(plan: Plan, drift: Drift, info: dict[str, Any], now: datetime) -> None:
    if not drift.mend:
        remedy = f"the server does not change it; to have {drift.declared}, make the stream anew"
        stops = drift.field == "retention" and drift.declared == "workqueue"
        plan.blocked.append(Blocked(drift.thing, drift.said, remedy, stops))
    elif reason := loss(drift.mend, info, now):
        plan.notes.append(
            f"{drift.thing} keeps {drift.field} {drift.found}: {drift.declared} would remove "
            f"{reason}"
        )


def _created(spec: StreamSpec) -> tuple[Difference, ...]:
    config = spec.config
    shown = {
        "subjects": ", ".join(config["subjects"]),
        "storage": f"{config['storage']}, {counted(config['num_replicas'], 'replica')}",
        "max_age": seconds(config["max_age"] / NS) if config.get("max_age") else "",
        "max_bytes": f"{config.get('max_bytes', 0) / (1 << 20):g} MiB",
    }
    if not config.get("max_bytes"):
        del shown["max_bytes"]
    return tuple(Difference(name, "", value) for name, value in shown.items() if value)


def loss(mend: dict[str, Any], info: dict[str, Any], now: datetime) -> str:
    """What a change of limits would remove that is stored; empty for nothing."""
    return next(_losses(mend, info, now), "")


def _losses(mend: dict[str, Any], info: dict[str, Any], now: datetime) -> Iterator[str]:
    state = info.get("state", {})
    messages, stored = int(state.get("messages", 0)), int(state.get("bytes", 0))
    age = mend.get("max_age", 0) / NS
    if age and messages and _age(state, now) > age:
        yield f"messages that are older than {seconds(age)}"
    if 0 < mend.get("max_msgs", 0) < messages:
        yield f"{messages - mend['max_msgs']} of its {messages} messages"
    if 0 < mend.get("max_bytes", 0) < stored:
        yield f"messages: it holds {stored} bytes"
    if mend.get("max_msgs_per_subject", 0) > 0 and messages > int(state.get("num_subjects", 0)):
        yield "messages: a subject has several"


def _age(state: dict[str, Any], now: datetime) -> float:
    return (now - datetime.fromisoformat(state["first_ts"])).total_seconds()


# --- dead letters ---


def plan_letters(plan: Plan, spec: StreamSpec, observed: Observed) -> None:
    """Their stream; where another one holds them, the move out of it."""
    old = observed.old_letters
    others = [name for name in observed.letters_held_by if name != spec.name]
    if old is not None and old.held:
        plan.changes.append(_move(old, spec))
    elif others:
        plan.notes.append(
            f"dead letters lie in stream {', '.join(others)}, which holds part of dlq.>; set "
            f"GLAM_DLQ_STREAM={others[0]} if that is meant"
        )
    else:
        plan_stream(plan, spec, observed)
        if old is not None:
            plan.changes.append(_move(old, spec))


def _move(old: OldLetters, spec: StreamSpec) -> Change:
    step = MoveLetters(old.stream, spec)
    copied = f"copies {counted(old.count, 'letter')} with their headers; none is removed"
    if not old.held:
        return Change("copy", "dead letters", step, why=f"{copied} from stream {old.stream}")
    differences = (Difference("stream", old.stream, spec.name),)
    why = f"takes dlq.> out of stream {old.stream}, gives it to {spec.name}, and {copied}"
    return Change("move", "dead letters", step, differences, why)
