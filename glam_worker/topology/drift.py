"""How what the server has differs from what is declared. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glam_worker.topology.specs import (
    NS,
    OWNER_HANDLER,
    OWNER_SERVICE,
    OWNER_WAY,
    ConsumerSpec,
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

    def __str__(self) -> str:
        return f"{self.thing} has {self.field}={self.found}, declared {self.declared}"


def consumer_drift(spec: ConsumerSpec, info: dict[str, Any]) -> list[Drift]:
    """Every difference between a declared durable and the server's."""
    found = info.get("config", {})
    thing = f"consumer {spec.durable} on stream {spec.stream}"
    checks = (
        ("owner", _owner(spec.config), _owner(found), True),
        ("filter", spec.config["filter_subject"], _filters(found), True),
        ("ack_policy", "explicit", found.get("ack_policy", "none"), True),
        ("max_deliver", "-1", str(found.get("max_deliver", -1)), True),
        ("backoff", "none", _backoff(found), True),
        ("headers_only", "False", str(bool(found.get("headers_only"))), True),
        ("deliver_subject", "none", str(found.get("deliver_subject") or "none"), True),
        ("ack_wait", _seconds(spec.config["ack_wait"]), _seconds(found.get("ack_wait", 0)), False),
        ("max_ack_pending", "-1", str(found.get("max_ack_pending", -1)), False),
    )
    return [
        Drift(thing, field, declared, observed, unsafe)
        for field, declared, observed, unsafe in checks
        if declared != observed
    ]


def _owner(config: dict[str, Any]) -> str:
    metadata = config.get("metadata") or {}
    names = [metadata.get(key) for key in (OWNER_SERVICE, OWNER_HANDLER, OWNER_WAY)]
    return "/".join(map(str, names)) if all(names) else "none"


def _filters(config: dict[str, Any]) -> str:
    several = config.get("filter_subjects") or []
    return ",".join(several) or str(config.get("filter_subject") or ">")


def _backoff(config: dict[str, Any]) -> str:
    return ",".join(_seconds(step) for step in config.get("backoff") or []) or "none"


def _seconds(ns: int) -> str:
    return f"{ns / NS:g}s"


def retry_stream_problems(info: dict[str, Any]) -> list[str]:
    """Why a retry stream found on the server would lose parked events."""
    config = info.get("config", {})
    name = config.get("name", "?")
    problems = [
        f"stream {name} has {limit}={config[limit]}: parked events would be dropped after a good "
        "PubAck; remove the limit"
        for limit in ("max_msgs", "max_bytes", "max_msgs_per_subject", "max_age")
        if int(config.get(limit) or -1) > 0
    ]
    if not config.get("allow_msg_schedules"):
        problems.append(f"stream {name} does not allow message schedules; recreate it")
    if config.get("retention") != "workqueue":
        problems.append(
            f"stream {name} has retention {config.get('retention')}, needed is workqueue; "
            "recreate it"
        )
    return problems


def stream_drift(declared: dict[str, Any], info: dict[str, Any]) -> list[Drift]:
    """Differences of a stream that change how long events are kept; none is unsafe."""
    found = info.get("config", {})
    thing = f"stream {declared['name']}"
    differing = []
    for field in _KEEPING:
        wanted = declared.get(field, _UNLIMITED.get(field))
        observed = found.get(field, _UNLIMITED.get(field))
        if _normal(wanted) != _normal(observed):
            drift = Drift(thing, field, _shown(field, wanted), _shown(field, observed), False)
            differing.append(drift)
    return differing


_KEEPING = (
    *("subjects", "retention", "discard", "duplicate_window"),
    *("max_age", "max_bytes", "max_msgs", "max_msgs_per_subject"),
)
"""What decides which messages a stream takes, and for how long it keeps them."""

_UNLIMITED: dict[str, Any] = {
    "duplicate_window": 120 * NS,
    "max_age": 0,
    "max_bytes": -1,
    "max_msgs": -1,
    "max_msgs_per_subject": -1,
}


def _normal(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _shown(field: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return _seconds(value) if field in ("max_age", "duplicate_window") else str(value)
