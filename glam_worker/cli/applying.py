"""A plan, shown first and done later: the server may have changed between the two."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.cli.checking import Checked
from glam_worker.cli.connecting import connected
from glam_worker.cli.planning import planned
from glam_worker.cli.printing import note
from glam_worker.errors import TopologyError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.moving_letters import LetterMove
from glam_worker.jetstream.state import JetStreamState
from glam_worker.settings import Settings
from glam_worker.topology.performing import Performer
from glam_worker.topology.plan import Change, Plan
from glam_worker.topology.planning import Choices
from glam_worker.topology.specs import STATE, StreamSpec


@dataclass(slots=True)
class Applied:
    """What was done of a plan."""

    plan: Plan
    done: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For programs: the plan, and what was done of it."""
        return {**self.plan.document(), "applied": list(self.done)}


class Application:
    """``plan`` for the user to look at, then ``apply``; each over a connection of its own, because
    a question may stay unanswered for longer than a connection lives."""

    def __init__(self, found: Checked, settings: Settings, choices: Choices) -> None:
        self._found = found
        self._settings = settings
        self._choices = choices
        self._shown = Plan(found.service)

    def plan(self) -> Plan:
        """What is to be done."""
        self._shown = asyncio.run(self._plan())
        return self._shown

    def apply(self) -> Applied:
        """Do what was shown. Raises TopologyError where that is not what is to be done by now."""
        if not self._shown.changes:
            return Applied(self._shown)
        return asyncio.run(self._apply())

    async def _plan(self) -> Plan:
        async with connected(JetStreamClient, self._settings) as client:
            return await planned(client, self._found, self._settings, self._choices)

    async def _apply(self) -> Applied:
        async with connected(JetStreamClient, self._settings) as client:
            present = await planned(client, self._found, self._settings, self._choices)
            if _things(present) != _things(self._shown):
                raise TopologyError(
                    "the server has changed since the plan was made; nothing was done. Look at "
                    "the plan again"
                )
            applied = Applied(present)
            performing = performer(client)
            for change in present.changes:
                await self._perform(performing, change, applied)
            return applied

    async def _perform(self, performer: Performer, change: Change, applied: Applied) -> None:
        try:
            await performer.perform(change.step)
        except (BrokerError, TopologyError) as error:
            done = f" Done before: {', '.join(applied.done)}." if applied.done else ""
            raise TopologyError(
                f"{change.action} {change.thing}: {error}{done} Apply again goes on from here"
            ) from error
        applied.done.append(f"{change.action} {change.thing}")


def _things(plan: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.thing) for change in plan.changes]


def performer(client: JetStreamClient) -> Performer:
    """What does the steps of a plan over this connection."""
    state = JetStreamState(client, STATE)

    async def move(source: str, target: StreamSpec) -> None:
        await LetterMove(client, state).run(source, target, _say)

    return Performer(JetStreamAdmin(client), state, move)


def _say(text: str) -> None:
    note(f"glam-worker: {text}")
