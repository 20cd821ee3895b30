"""What ``top`` shows. Pure: from a status to something rich can draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from glam_worker.cli.printing import visible
from glam_worker.cli.status_view import duration, headline, remarks, state_of
from glam_worker.operate.describing import moment
from glam_worker.operate.letter_groups import LetterGroup
from glam_worker.operate.rates import Rates
from glam_worker.operate.status import HandlerStatus, Status
from glam_worker.operate.worker_metrics import Latency

_COLUMNS = (
    *("service", "handler", "state", "settled/s", "arriving/s", "lag", "drains in", "in flight"),
    *("parked", "letters"),
)
_MEASURED = ("mean", "95 %", "failures")
_KEYS = "up/down choose   p pause   r resume   d dead letters   q quit"


@dataclass(frozen=True, slots=True)
class Line:
    """A handler with all that is known of it."""

    handler: HandlerStatus
    rates: Rates
    latency: Latency | None


@dataclass(slots=True)
class Screen:
    """What is to be seen now."""

    seen: Status
    lines: Sequence[Line] = ()
    chosen: int = 0
    measured: bool = False
    """Whether there are metrics of workers."""
    message: str = ""
    """A question, or what the last key did."""
    letters: Sequence[LetterGroup] | None = None
    """The dead letters of the chosen handler, while they are shown."""
    rows: int = field(default=24)
    """Of the terminal."""


def drawn(screen: Screen) -> RenderableType:
    """The whole screen."""
    if screen.letters is not None:
        return Group(_letters(screen), Text("\nany key: back", style="dim"))
    parts: list[RenderableType] = [Text(headline(screen.seen), style="bold"), _handlers(screen)]
    parts += [Text(visible(line), style="yellow") for line in list(remarks(screen.seen))[:3]]
    parts.append(Text(f"\n{screen.message or _KEYS}", style="bold" if screen.message else "dim"))
    return Group(*parts)


def _handlers(screen: Screen) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (*_COLUMNS, *(_MEASURED if screen.measured else ())):
        left = name in ("service", "handler", "state")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    room = max(3, screen.rows - 10)
    first = max(0, min(screen.chosen - room // 2, len(screen.lines) - room))
    for number, line in list(enumerate(screen.lines))[first : first + room]:
        style = "reverse" if number == screen.chosen else ""
        table.add_row(*_cells(line, measured=screen.measured), style=style)
    return table


def _cells(line: Line, *, measured: bool) -> list[str]:
    one, rates = line.handler, line.rates
    cells = [
        *(visible(one.service), visible(one.handler), state_of(one)),
        *(_rate(rates.settled), _rate(rates.arriving)),
        *(str(one.pending + one.pending_lane), _drain(rates.time_to_drain), str(one.in_flight)),
        *(str(one.parked), "?" if one.letters is None else str(one.letters)),
    ]
    return cells + _latency(line.latency) if measured else cells


def _latency(known: Latency | None) -> list[str]:
    if known is None:
        return ["-", "-", "-"]
    most = "> all" if math.isinf(known.most) else f"< {_short(known.most)}"
    return [_short(known.mean), most, str(known.failures)]


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _rate(rate: float | None) -> str:
    if rate is None:
        return "-"
    return f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"


def _drain(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return "never" if math.isinf(seconds) else duration(seconds)


def _letters(screen: Screen) -> RenderableType:
    line = screen.lines[screen.chosen]
    title = Text(f"Dead letters of {line.handler.handler} of {line.handler.service}", style="bold")
    if not screen.letters:
        return Group(title, Text("none"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("letters", "reason", "error", "last seen", "group", "example"):
        table.add_column(name, overflow="fold")
    for one in screen.letters[: max(3, screen.rows - 8)]:
        both = (one.example.error, one.example.message)
        error = visible(": ".join(part for part in both if part))
        last = moment(one.last_seen)
        table.add_row(str(one.count), one.reason or "-", error, last, one.group, one.example.id)
    advice = Text("glam-worker dlq show EXAMPLE, glam-worker dlq replay --group GROUP", style="dim")
    return Group(title, table, advice)
