"""``glam-worker top``: looks, draws, and does what keys say."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Servers

if TYPE_CHECKING:
    from rich.live import Live

    from glam_shared.messaging import JetStreamClient
    from glam_worker.cli.top.screen import Line, Screen
    from glam_worker.operate.status import HandlerStatus, Status
    from glam_worker.operate.worker_metrics import Latency, Measured
    from glam_worker.settings import Settings


def top(
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this service only. Default: of all.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="URL,URL",
            help="Of workers, such as http://127.0.0.1:9464/metrics: for latency and failures.",
        ),
    ] = None,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.2, help="Between two looks.")
    ] = 1.0,
    servers: Servers = None,
) -> None:
    """Watch handlers: rate, lag, time to drain, in flight; with keys to pause and resume them.

    Example: glam-worker top --metrics http://127.0.0.1:9464/metrics
    """
    from glam_worker.errors import UsageError  # noqa: PLC0415 - --help stays quick
    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(
                "top needs a terminal; `glam-worker status --json` tells the same to a program"
            )
        settings = Settings.load(nats_servers=servers)
        urls = [one.strip() for one in (metrics or "").split(",") if one.strip()]
        asyncio.run(_top(settings, service, urls, every))


async def _top(settings: Settings, service: str | None, urls: list[str], every: float) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where something is drawn
    from rich.live import Live  # noqa: PLC0415

    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.cli.top.keys import pressed  # noqa: PLC0415
    from glam_worker.operate.status import Statuses  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        statuses = Statuses(client, settings.retry_stream, service)
        watch = _Watch(client, statuses.look, urls)
        await watch.look()
        console = Console(markup=False, highlight=False)
        live = Live(console=console, screen=True, auto_refresh=False)
        with live, pressed() as keys:
            await watch.run(live, keys, every)


class _Watch:
    """Looks again and again; keys act in between."""

    def __init__(
        self, client: JetStreamClient, look: Callable[[], Awaitable[Status]], urls: list[str]
    ) -> None:
        from glam_worker.operate.rates import Looks  # noqa: PLC0415

        self._client = client
        self._look = look
        self._urls = urls
        self._looks = Looks()
        self._measured: list[dict[tuple[str, str], Measured]] = []
        self._screen: Screen
        self._asked: tuple[str, HandlerStatus] | None = None
        """A question that waits for a yes: pause or resume, and whom."""

    async def run(self, live: Live, keys: asyncio.Queue[str], every: float) -> None:
        """Until q is pressed."""
        due = time.monotonic() + every
        while True:
            self._draw(live)
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + every):
                    key = await keys.get()
            except TimeoutError:
                key = ""
            if key == "q" and self._asked is None and self._screen.letters is None:
                return
            if key:
                await self._pressed(key)
            if time.monotonic() >= due:
                await self._try_to_look()
                due = time.monotonic() + every

    def _draw(self, live: Live) -> None:
        from glam_worker.cli.top.screen import drawn  # noqa: PLC0415

        self._screen.rows = live.console.height
        live.update(drawn(self._screen), refresh=True)

    # --- looking ---

    async def look(self) -> None:
        """A new picture. Raises BrokerError, NotThereError."""
        from glam_worker.cli.top.screen import Line, Screen  # noqa: PLC0415
        from glam_worker.operate.worker_metrics import measured  # noqa: PLC0415

        seen = await self._look()
        self._looks.add(seen)
        if self._urls:
            self._measured = [*self._measured[-10:], await measured(self._urls)]
        lines = [
            Line(one, self._looks.rates(one), self._latency((one.service, one.handler)))
            for one in seen.handlers
        ]
        old = getattr(self, "_screen", None)
        self._screen = Screen(seen, lines, measured=bool(self._urls))
        if old is not None:
            self._screen.message, self._screen.letters = old.message, old.letters
            self._screen.chosen = _same_line(old, lines)

    def _latency(self, owner: tuple[str, str]) -> Latency | None:
        from glam_worker.operate.worker_metrics import Measured, latency  # noqa: PLC0415

        if not self._measured:
            return None
        first, last = self._measured[0], self._measured[-1]
        nothing = Measured()
        return latency(first.get(owner, nothing), last.get(owner, nothing))

    async def _try_to_look(self) -> None:
        """A server that is away is told of, and looked for again."""
        from glam_shared.errors import GlamBaseError  # noqa: PLC0415

        try:
            await self.look()
        except GlamBaseError as error:
            self._screen.message = str(error)

    # --- keys ---

    async def _pressed(self, key: str) -> None:
        screen = self._screen
        if self._asked is not None:
            await self._answered(key)
        elif screen.letters is not None:
            screen.letters = None
        elif key in ("up", "k", "down", "j"):
            step = -1 if key in ("up", "k") else 1
            screen.chosen = max(0, min(len(screen.lines) - 1, screen.chosen + step))
            screen.message = ""
        elif screen.lines and key in ("p", "r", "d"):
            await self._act(key, screen.lines[screen.chosen].handler)
        else:
            screen.message = ""

    async def _act(self, key: str, one: HandlerStatus) -> None:
        if key == "d":
            await self._show_letters(one)
            return
        self._asked = ("pause" if key == "p" else "resume", one)
        self._screen.message = f"{self._asked[0]} {one.handler} of {one.service}? y/n"

    async def _answered(self, key: str) -> None:
        assert self._asked is not None  # noqa: S101 - the caller looked
        (verb, one), self._asked = self._asked, None
        if key != "y":
            self._screen.message = ""
            return
        self._screen.message = await self._done(verb, one)
        await self._try_to_look()

    async def _done(self, verb: str, one: HandlerStatus) -> str:
        """Pause or resume; what there is to say of it."""
        from glam_shared.errors import GlamBaseError  # noqa: PLC0415
        from glam_worker.operate import pausing  # noqa: PLC0415
        from glam_worker.operate.handlers import KnownHandler  # noqa: PLC0415

        handler = KnownHandler(one.service, one.handler, one.durables)
        act = pausing.pause if verb == "pause" else pausing.resume
        try:
            await act(self._client, handler)
        except GlamBaseError as error:
            return str(error)
        return f"{handler} is {'paused' if verb == 'pause' else 'resumed'}"

    async def _show_letters(self, one: HandlerStatus) -> None:
        from glam_shared.errors import GlamBaseError  # noqa: PLC0415
        from glam_worker.operate.letter_filter import LetterFilter  # noqa: PLC0415
        from glam_worker.operate.letter_groups import grouped  # noqa: PLC0415
        from glam_worker.operate.letters import heads, letter_stores  # noqa: PLC0415

        chosen = LetterFilter(service=one.service, handler=one.handler)
        try:
            stores = await letter_stores(self._client)
            async with contextlib.aclosing(heads(self._client, chosen, stores)) as found:
                self._screen.letters = (await grouped(found)).groups
        except GlamBaseError as error:
            self._screen.message = str(error)


def _same_line(old: Screen, lines: list[Line]) -> int:
    """Where the chosen handler is now."""
    if not old.lines:
        return 0
    was = old.lines[old.chosen].handler
    for number, line in enumerate(lines):
        if (line.handler.service, line.handler.handler) == (was.service, was.handler):
            return number
    return 0
