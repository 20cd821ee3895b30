"""What ``plan`` and ``apply`` share: the plan for some modules, by what the server has now."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from glam_shared.messaging import JetStreamClient
from glam_worker.cli.checking import Checked, checked
from glam_worker.errors import UsageError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.state import JetStreamState
from glam_worker.settings import Settings
from glam_worker.topology.observing import observe
from glam_worker.topology.plan import Beginning, Plan
from glam_worker.topology.planning import Choices, check_choices, plan_of
from glam_worker.topology.specs import STATE

_BEGINNINGS: tuple[Beginning, ...] = ("floor", "new", "all")


def loaded(modules: Sequence[str], settings: Settings) -> Checked:
    """What the modules declare; what they print goes to stderr."""
    with contextlib.redirect_stdout(sys.stderr):
        return checked(modules, settings)


async def planned(
    client: JetStreamClient,
    found: Checked,
    settings: Settings,
    choices: Choices = Choices(),  # noqa: B008 - frozen
) -> Plan:
    """Desired against observed."""
    handlers = found.registry.handlers
    state = JetStreamState(client, STATE)
    seen = await observe(JetStreamAdmin(client), state, found.service, handlers, settings)
    return plan_of(found.service, handlers, settings, seen, choices)


def read_choices(
    found: Checked, recreate: Sequence[str], begin: str | None, moves: Sequence[str]
) -> Choices:
    """The options of ``apply``. Raises UsageError that names the option."""
    if recreate and begin is None:
        raise UsageError(
            "--recreate needs --from floor (where it was), new (what comes from now on) or all "
            "(everything that the stream keeps)"
        )
    if begin is not None and not recreate:
        raise UsageError("--from says where a handler of --recreate begins; name one with it")
    beginning = next((one for one in _BEGINNINGS if one == begin), None)
    if begin is not None and beginning is None:
        raise UsageError(f"--from {begin}: give floor, new or all")
    choices = Choices(tuple(recreate), beginning or "floor", dict(map(_move, moves)))
    check_choices(choices, found.registry.handlers)
    return choices


def _move(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise UsageError(
            f"--move {text}: write the handler that is gone, =, and the one that takes over"
        )
    return old, new
