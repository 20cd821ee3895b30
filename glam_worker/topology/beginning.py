"""Where a durable begins. Pure."""

from __future__ import annotations

from typing import Any

from glam_worker.topology.plan import Beginning
from glam_worker.topology.records import floor_of


def begin_at(begin: Beginning, floor: int) -> dict[str, Any]:
    """The fields of a durable that begins there."""
    if begin == "floor":
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": floor + 1}
    return {"deliver_policy": begin}


def covers_from(durable: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether a durable gets all that another one has not settled."""
    config = durable["config"]
    if not (old.get("num_pending", 0) or old.get("num_ack_pending", 0)):
        return True
    if config.get("deliver_policy") == "all":
        return True
    return (
        config.get("deliver_policy") == "by_start_sequence"
        and int(config.get("opt_start_seq", 0)) <= floor_of(old) + 1
    )
