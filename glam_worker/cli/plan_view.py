"""A plan for people: every change with its fields, what needs a decision, and what is nobody's."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import typer

from glam_shared.wording import counted
from glam_worker.topology.plan import Blocked, Change, Difference, Orphan, Plan

_SIGNS = {"create": "+", "update": "~", "recreate": "±", "move": ">", "copy": ">"}
_STYLES = {
    "create": "green",
    "update": "yellow",
    "recreate": "magenta",
    "move": "cyan",
    "copy": "cyan",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the view: without a terminal it is printed as it is."""

    text: str
    indent: int = 0
    style: str = ""


def show_plan(plan: Plan) -> None:
    """Print it. Without a terminal: no colour, no wrapping, nothing cut."""
    lines = list(lines_of(plan))
    if sys.stdout.isatty():
        _on_terminal(lines)
    else:
        typer.echo("\n".join(" " * line.indent + line.text for line in lines))


def lines_of(plan: Plan) -> Iterator[Line]:
    """The view, from top to bottom."""
    for change in plan.changes:
        yield from _change(change)
    for blocked in plan.blocked:
        yield from _blocked(blocked)
    for orphan in plan.orphans:
        yield from _orphan(orphan)
    for text in plan.notes:
        yield Line(f"note: {text}", style="dim")
        yield Line("")
    yield Line(summary(plan), style="bold")


def summary(plan: Plan) -> str:
    """What there is to do, in one line."""
    verbs = Counter(change.action for change in plan.changes)
    done = [f"{count} to {action}" for action, count in verbs.items()]
    stopped = len(plan.stopped)
    parts = [", ".join(done)] if done else []
    if stopped:
        needs = "needs a decision" if stopped == 1 else "need a decision"
        parts.append(f"{counted(stopped, 'handler')} {needs}" if _handlers(plan) else needs)
    if not parts:
        return f"Nothing to do: streams and consumers of {plan.service} are as declared."
    return f"{plan.service}: {'; '.join(parts)}."


def _handlers(plan: Plan) -> bool:
    return all(blocked.handler for blocked in plan.stopped)


def _change(change: Change) -> Iterator[Line]:
    sign, style = _SIGNS[change.action], _STYLES[change.action]
    yield Line(f"{sign} {change.action} {change.thing}{_of(change.handler)}", style=f"bold {style}")
    if change.why:
        yield Line(change.why, 4)
    yield from _differences(change.differences)
    yield Line("")


def _differences(differences: tuple[Difference, ...]) -> Iterator[Line]:
    width = max((len(one.field) for one in differences), default=0)
    for one in differences:
        values = f"{one.found} -> {one.declared}" if one.found else one.declared
        yield Line(f"{one.field.ljust(width)}  {values}", 4)


def _blocked(blocked: Blocked) -> Iterator[Line]:
    head = "not worked" if blocked.stops else "cannot change"
    style = "bold red" if blocked.stops else "bold yellow"
    yield Line(f"! {head}: {blocked.thing}{_of(blocked.handler)}", style=style)
    yield Line(blocked.problem, 4)
    if blocked.remedy:
        yield Line(blocked.remedy, 4)
    yield Line("")


def _orphan(orphan: Orphan) -> Iterator[Line]:
    head = "not declared here" if orphan.worked else "left behind"
    yield Line(f"? {head}: handler {orphan.handler} of {orphan.service}", style="bold blue")
    if orphan.durables:
        yield Line(f"consumers  {', '.join(orphan.durables)}", 4)
        yield Line(f"backlog    {_amount(orphan.backlog, orphan.oldest, 'event', 'events')}", 4)
    if orphan.parked:
        parked = _amount(orphan.parked, orphan.parked_oldest, "retry", "retries")
        yield Line(f"parked     {parked}", 4)
    yield Line(orphan.remedy, 4)
    yield Line("")


def _amount(count: int, oldest: float | None, one: str, many: str) -> str:
    age = f", the oldest is {age_in_words(oldest)} old" if oldest is not None else ""
    return counted(count, one, many) + age


def age_in_words(seconds: float) -> str:
    """Two units at most: ``3 d 4 h``, ``12 min``, ``8 s``."""
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    words: list[str] = []
    left = int(seconds)
    for size, unit in units:
        if left >= size and len(words) < 2:
            words.append(f"{left // size} {unit}")
            left %= size
    return " ".join(words) or "0 s"


def _of(handler: str | None) -> str:
    return f" (handler {handler})" if handler else ""


def _on_terminal(lines: list[Line]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where it is shown
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(markup=False, highlight=False)
    for line in lines:
        text = Text(line.text, style=line.style, overflow="fold")
        console.print(Padding(text, (0, 0, 0, line.indent)) if line.indent else text)
