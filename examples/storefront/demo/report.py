"""How the demo's outcome is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from examples.storefront.demo.numbers import HandlerNumbers, Numbers, together
from glam_shared.messaging import headers as names
from glam_shared.messaging.dead_letter import DeadLetter
from glam_worker.jetstream.stored_letters import StoredLetter


@dataclass(frozen=True)
class Outcome:
    """What the demo found out."""

    published: int
    onward: int
    """Events that handlers published for other handlers."""
    numbers: Numbers
    replayed: Counter[str]
    """By handler."""
    left: int
    """Letters that are still there."""
    seconds: float
    """From the first publish until every event was delivered and settled for the first time."""
    rows: Mapping[str, int]
    """What the handlers left in the shop's database."""
    products: int

    @property
    def events(self) -> int:
        """All that had to be handled."""
        return self.published + self.onward

    @property
    def lost(self) -> int:
        """Events that left neither a row nor a letter."""
        return self.events - sum(self.rows.values()) - self.left


def show_head(console: Console, text: str) -> None:
    """What comes next."""
    console.print(f"\n[bold]{text}[/]")


def show_letter(console: Console, letter: StoredLetter) -> None:
    """A dead letter as it lies in its stream."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("subject", letter.subject)
    for name, value in letter.headers.items():
        if name == names.GLAM_TRACEBACK:
            grid.add_row(name, f"({len(value):,} bytes)")
        elif name != names.NATS_MSG_ID:
            grid.add_row(name, value)
    grid.add_row("body", f"the event's {len(letter.body):,} bytes, untouched")
    console.print(grid)


def show_reasons(console: Console, letters: Iterable[StoredLetter]) -> None:
    """Dead letters by reason, each with one error that led there."""
    examples: dict[tuple[str, str], DeadLetter] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for letter in letters:
        record = letter.record
        key = (record.reason or "unknown", record.handler)
        counts[key] += 1
        examples.setdefault(key, record)
    table = _table("reason", "handler", "letters", "attempts", "for example")
    for (reason, handler), count in sorted(counts.items()):
        example = examples[reason, handler]
        said = example.message.partition("\\n")[0]
        table.add_row(reason, handler, f"{count:,}", str(example.attempts), said)
    console.print(table)


def show_table(console: Console, outcome: Outcome) -> None:
    """What became of the events, handler by handler."""
    heads = ("handler", "events", "handled", "retried", "snoozed", "letters", "replayed")
    table = _table(*heads, "p50 ms", "p99 ms")
    for handler, numbers in outcome.numbers.items():
        table.add_row(*_row(handler, numbers, outcome.replayed[handler]))
    table.add_section()
    total = together(outcome.numbers.values())
    table.add_row(*_row("together", total, outcome.replayed.total()), style="bold")
    console.print(table)


def show_sums(console: Console, outcome: Outcome) -> None:
    """What the table says of speed, of the promise, and of the shop."""
    total = together(outcome.numbers.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(total.letters.items()))
    rows = ", ".join(f"{count:,} {table}" for table, count in outcome.rows.items())
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        "events",
        f"{outcome.published:,} published + {outcome.onward:,} by handlers = "
        f"{sum(outcome.rows.values()):,} handled + {outcome.left:,} letters; "
        f"[bold]{outcome.lost:,} lost[/]",
    )
    grid.add_row(
        "events/s",
        f"[bold]{total.first / outcome.seconds:,.0f}[/] ({total.first:,} first runs settled in "
        f"{outcome.seconds:.1f} s, with server and publisher on this machine)",
    )
    grid.add_row("letters", f"{reasons}; {outcome.replayed.total():,} of them replayed")
    grid.add_row("database", f"{rows}, {outcome.products:,} products")
    grid.add_row(
        "p50, p99",
        "milliseconds a run took in its handler, from the histogram of the worker's /metrics "
        "(interpolated, as Prometheus does)",
    )
    console.print(grid)


def show_ways_on(console: Console, folder: Path) -> None:
    """Where to look next."""
    places = {
        "examples/storefront/handlers.py": "the five handlers",
        "examples/storefront/README.md": "the same by hand, with a server that stays",
        f"{folder}/worker.log": "what the worker logged, a JSON line each",
        f"{folder}/shop.db": "what the handlers stored (SQLite)",
        "glam-worker --help": "all commands; it is in .venv/bin",
    }
    width = max(map(len, places))
    for place, what in places.items():
        console.print(f"  {place:<{width}}  {what}", soft_wrap=True)


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    text = {"handler", "reason", "for example"}
    for head in heads:
        right = head not in text
        table.add_column(head, justify="right" if right else "left", no_wrap=head != "for example")
    return table


def _row(name: str, numbers: HandlerNumbers, replayed: int) -> list[str]:
    # A letter that was replayed is an event that ended twice.
    counts = (
        numbers.ended - replayed,
        numbers.handled,
        numbers.retried,
        numbers.snoozed,
        numbers.letters.total(),
        replayed,
    )
    shown = [f"{count:,}" if count else "-" for count in counts]
    return [name, *shown, _ms(numbers.percentile(0.5)), _ms(numbers.percentile(0.99))]


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    milliseconds = seconds * 1000.0
    return f"{milliseconds:.1f}" if milliseconds < 100.0 else f"{milliseconds:.0f}"
