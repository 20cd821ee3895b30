"""What every durable of a handler must be, whatever its declaration says. Pure.

The declared filter and ``ack_wait`` are compared by ``plan``, which has the modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from glam_worker.declare.filters import overlaps
from glam_worker.operate.handlers import Durable
from glam_worker.topology.specs import due_subject, durable_of, filters_of

_FIXED: tuple[tuple[str, Any, Any], ...] = (
    ("ack_policy", "explicit", "none"),
    ("max_deliver", -1, -1),
    ("backoff", [], []),
    ("headers_only", False, False),
    ("max_ack_pending", -1, -1),
    ("deliver_subject", "", ""),
)
"""Field, needed value, and what its absence means."""


def shape_problems(durable: Durable, subjects: Sequence[str]) -> Iterator[str]:
    """How a durable differs from what a worker makes; ``subjects`` are those of its stream."""
    config = durable.info["config"]
    for field, needed, absent in _FIXED:
        found = config.get(field) or absent
        if found != needed:
            yield f"{durable.name} has {field}={found}, needed is {needed or 'none'}"
    name = durable_of(durable.service, durable.handler, durable.way)
    if durable.name != name:
        yield f"{durable.name} is not called {name}, as its metadata says: no worker pulls it"
    filters = filters_of(config)
    if not any(overlaps(held, one) for held in subjects for one in filters):
        taken = ", ".join(filters)
        yield f"{durable.name} takes {taken}, which stream {durable.stream} never holds"
    due = due_subject(durable.service, durable.handler)
    if durable.way == "lane" and due not in filters:
        yield f"{durable.name} does not take {due}: retries and replays do not come"
