"""What the demo does, one thing after the other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from examples.demo_process import DemoFailed
from examples.storefront.demo.numbers import HandlerNumbers, Numbers, together
from examples.storefront.demo.report import Outcome, show_head, show_letter, show_reasons
from examples.storefront.demo.worker_process import WorkerProcess
from examples.storefront.repair import MAILS
from examples.storefront.store import CLOSED_DOMAIN, Store
from examples.storefront.traffic import Traffic, publish
from glam_shared.messaging import JetStreamClient, Subjects
from glam_worker.jetstream.replay import Replays
from glam_worker.jetstream.stored_letters import StoredLetter, StoredLetters

_STALLED_AFTER = 30.0
_LOOK_EVERY = 0.2


class Story:
    """Traffic, dead letters, a repair, a replay; every wait is for a fact that the worker tells."""

    def __init__(
        self,
        console: Console,
        client: JetStreamClient,
        worker: WorkerProcess,
        store: Store,
        made: Traffic,
    ) -> None:
        self._console = console
        self._client = client
        self._worker = worker
        self._store = store
        self._traffic = made
        self._onward = made.count(Subjects.MERCHANT_CREATED)
        """Each new shop has its catalogue fetched, by an event of its handler."""
        self._events = len(made) + self._onward
        self._letters = StoredLetters(client, "GLAM_DLQ")

    async def told(self) -> Outcome:
        """What came of it. Raises DemoFailed when something did not happen."""
        seconds = await self._work()
        letters = [letter async for letter in self._letters.all()]
        show_head(self._console, "Dead letters: what cannot be handled is kept, with the reason")
        show_reasons(self._console, letters)
        mails = [letter for letter in letters if letter.record.handler == MAILS]
        show_head(self._console, f"One of them, {mails[0].sequence} of GLAM_DLQ")
        show_letter(self._console, mails[0])
        numbers = await self._replay(mails)
        return Outcome(
            published=len(self._traffic),
            onward=self._onward,
            numbers=numbers,
            replayed=Counter({MAILS: len(mails)}),
            left=len([letter async for letter in self._letters.all()]),
            seconds=seconds,
            rows=self._store.counts(),
            products=self._store.products(),
        )

    async def _work(self) -> float:
        """Publish while the worker works; seconds until everything had its first run."""
        show_head(self._console, f"{len(self._traffic):,} events, handled while they are published")
        began = time.monotonic()
        with _progress(self._console) as progress:
            publishing = progress.add_task("published", total=len(self._traffic), note="")
            working = progress.add_task("handled", total=self._events, note="")

            def show(total: HandlerNumbers) -> None:
                letters = total.letters.total()
                note = f"{total.retried:,} retried, {total.snoozed:,} snoozed, {letters:,} letters"
                progress.update(working, completed=total.ended, note=note)

            async def first_runs() -> float:
                await self._until(lambda total: total.first >= self._events, show)
                return time.monotonic() - began

            _, seconds = await asyncio.gather(
                publish(self._client, self._traffic, lambda n: progress.advance(publishing, n)),
                first_runs(),
            )
            await self._until(lambda total: total.ended >= self._events, show)
        return seconds

    async def _replay(self, letters: list[StoredLetter]) -> Numbers:
        """Repair what made the mails fail, and send the letters through their handler again."""
        show_head(self._console, f"{CLOSED_DOMAIN} is repaired: its letters are replayed")
        self._store.open_mail_domain(CLOSED_DOMAIN)
        replays = Replays(self._client)
        before = together((await self._worker.numbers()).values()).handled
        with _progress(self._console) as progress:
            replaying = progress.add_task("replayed", total=len(letters), note="")
            handling = progress.add_task("handled", total=len(letters), note="")
            for letter in letters:
                await replays.replay(letter)
                progress.advance(replaying)

            def show(total: HandlerNumbers) -> None:
                progress.update(handling, completed=total.handled - before)

            return await self._until(lambda total: total.handled - before >= len(letters), show)

    async def _until(
        self, fact: Callable[[HandlerNumbers], bool], show: Callable[[HandlerNumbers], None]
    ) -> Numbers:
        """Look at the worker's numbers until they say so."""
        last, changed = HandlerNumbers(), time.monotonic()
        while True:
            numbers = await self._worker.numbers()
            total = together(numbers.values())
            show(total)
            if fact(total):
                return numbers
            if total != last:
                last, changed = total, time.monotonic()
            elif time.monotonic() - changed > _STALLED_AFTER:
                raise DemoFailed(f"nothing happened for {_STALLED_AFTER:g} s, at {total}")
            await asyncio.sleep(_LOOK_EVERY)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
