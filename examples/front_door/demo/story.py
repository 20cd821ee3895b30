"""What the demo does, one thing after the other."""

from __future__ import annotations

import asyncio
import secrets
import uuid

import httpx
from rich.console import Console

from examples.demo_process import DemoFailed
from examples.front_door.callers import Callers
from examples.front_door.demo.facts import Facts
from examples.front_door.demo.front_door_process import FrontDoorProcess
from examples.front_door.demo.report import show_exchange, show_head, show_note, show_trace
from examples.storefront.outside import GREYLISTING_DOMAIN
from glam_shared import new_correlation_id
from glam_worker.dev.server import EmbeddedServer


class Story:
    """Requests, and what comes of them; every wait is for a fact that somebody else tells."""

    def __init__(
        self,
        console: Console,
        server: EmbeddedServer,
        front_door: FrontDoorProcess,
        callers: Callers,
        facts: Facts,
    ) -> None:
        self._console = console
        self._server = server
        self._front_door = front_door
        self._callers = callers
        self._facts = facts
        self._http = httpx.AsyncClient(trust_env=False)
        self._stranger = secrets.token_urlsafe(32)
        """A secret that the front door does not know."""

    async def told(self) -> None:
        """Raises DemoFailed when something did not happen."""
        async with self._http:
            registration = await self._register()
            await self._webhook()
            await self._refused()
            await self._broker_away()
            report = await self._report()
            await self._list()
        await self._show_traces(registration, report)

    async def _register(self) -> str:
        self._head("A merchant's client registers its shop, with the shop's token")
        correlation_id = new_correlation_id()
        await self._ask(self._callers.registration(correlation_id), 200)
        return correlation_id

    async def _webhook(self) -> None:
        self._head("The platform sends a signed webhook; 200 means that the broker has its event")
        webhook_id = str(uuid.uuid4())
        event_id = await self._accepted(webhook_id)
        self._head("The same webhook again, at once: the broker knows its id")
        await self._accepted(webhook_id)
        await self._note_stored(event_id, 1)
        await self._facts.said("handled", handler="take_webhook", event_id=event_id)
        self._head("And again when the broker has forgotten it, here after 2 seconds")
        await self._late(webhook_id, event_id)

    async def _late(self, webhook_id: str, event_id: str) -> None:
        """Send the webhook until it is stored a second time."""
        answers: list[httpx.Response] = []

        async def stored_again() -> bool:
            answers.append(await self._http.send(self._callers.webhook(webhook_id)))
            return len(await self._facts.stored(event_id)) > 1

        await self._facts.until(stored_again, "the late webhook was not stored")
        show_exchange(self._console, answers[-1])
        await self._note_stored(event_id, 2)
        said = "handled before: acked without a run"
        await self._facts.said(said, event_id=event_id)
        self._note(f"worker, whose handler is idempotent: {said}")

    async def _refused(self) -> None:
        self._head("A wrong signature and a bad token: nothing is stored")
        before = await self._facts.published()
        await self._ask(self._callers.webhook(str(uuid.uuid4()), self._stranger), 401)
        await self._ask(self._callers.registration(new_correlation_id(), self._stranger), 401)
        if await self._facts.published() > before:
            raise DemoFailed("a request that was refused left an event")
        self._note(f"why, its log says only: {', '.join(self._facts.refusals())}")

    async def _broker_away(self) -> None:
        self._head("The broker is stopped: 503 in time, so that the platform tries again")
        webhook_id = str(uuid.uuid4())
        await asyncio.to_thread(self._server.stop)
        await self._ask(self._callers.webhook(webhook_id), 503)
        await asyncio.to_thread(self._server.start)
        await self._front_door.ready()
        self._note("the broker is back")
        event_id = await self._accepted(webhook_id)
        await self._facts.said("handled", handler="take_webhook", event_id=event_id)

    async def _report(self) -> str:
        self._head("Another service reports a low balance, with its own key")
        report = self._callers.low_balance(f"owner@{GREYLISTING_DOMAIN}")
        return (await self._ask(report, 202)).headers["X-Correlation-ID"]

    async def _list(self) -> None:
        self._head("The merchant's client asks for the webhooks, page by page")
        answer = await self._ask(self._callers.webhooks(limit=1), 200)
        page = answer.json()
        self._note(f"page 1 of {page['pagination']['pages']}, next: {page['links']['next']}")

    async def _show_traces(self, registration: str, report: str) -> None:
        self._head(f"One id, {registration}: from the registration to the last event of it")
        await self._facts.said("handled", handler="sync_catalog", correlation_id=registration)
        show_trace(self._console, await self._facts.trace(registration))
        self._head(f"And {report}: the report, whose mail is taken at the second try")
        await self._facts.said("handled", handler="mail_warning", correlation_id=report)
        show_trace(self._console, await self._facts.trace(report))

    async def _accepted(self, webhook_id: str) -> str:
        """Send this webhook; the id of its event."""
        answer = await self._ask(self._callers.webhook(webhook_id), 200)
        return str(answer.json()["data"]["event_id"])

    async def _ask(self, request: httpx.Request, status: int) -> httpx.Response:
        answer = await self._http.send(request)
        show_exchange(self._console, answer)
        if answer.status_code != status:
            raise DemoFailed(f"{status} was expected, but it was {answer.text}")
        return answer

    async def _note_stored(self, event_id: str, times: int) -> None:
        stored = len(await self._facts.stored(event_id))
        if stored != times:
            raise DemoFailed(f"event {event_id} is stored {stored} times instead of {times}")
        self._note(f"stored: {stored} time{'s' * (times > 1)}")

    def _head(self, text: str) -> None:
        show_head(self._console, text)

    def _note(self, text: str) -> None:
        show_note(self._console, text)
