"""How the demo shows requests, answers and traces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from examples.front_door.demo.trace import Step

_COLOURS = {"front-door": "cyan", "broker": "yellow", "storefront": "green"}


def show_head(console: Console, text: str) -> None:
    """What comes next."""
    console.print(f"\n[bold]{text}[/]", soft_wrap=True)


def show_note(console: Console, text: str) -> None:
    """What came of it."""
    console.print(f"  {text}", soft_wrap=True)


def show_exchange(console: Console, answer: httpx.Response) -> None:
    """A request, and what was answered."""
    request = answer.request
    colour = "green" if answer.is_success else "red"
    milliseconds = answer.elapsed.total_seconds() * 1000.0
    console.print(
        f"  {request.method:<4} {request.url.raw_path.decode():<24} "
        f"[bold {colour}]{answer.status_code}[/] {milliseconds:>6.0f} ms  {escape(_told(answer))}",
        soft_wrap=True,
    )


def _told(answer: httpx.Response) -> str:
    body = answer.json()
    if answer.is_success:
        return _data(body["data"])
    wait = answer.headers.get("Retry-After")
    again = f" (Retry-After: {wait})" if wait else ""
    return f"{body['error']['code']}: {body['error']['message']}{again}"


def _data(data: Any) -> str:
    """What names the event."""
    shown = data[0] if isinstance(data, list) else data
    return "  ".join(f"{name} {shown[name]}" for name in ("event_id", "topic") if name in shown)


def show_trace(console: Console, steps: Sequence[Step]) -> None:
    """What happened, with the milliseconds since the first of it."""
    for step in steps:
        offset = (step.at - steps[0].at).total_seconds() * 1000.0
        colour = _COLOURS.get(step.where, "white")
        where = f"[{colour}]{step.where:<10}[/]"
        console.print(f"  {offset:>+5.0f} ms  {where}  {escape(step.what)}", soft_wrap=True)


def show_places(console: Console, folder: Path) -> None:
    """Where to look next."""
    places = {
        "examples/front_door/app.py": "the front door",
        "examples/front_door/README.md": "the same by hand",
        "examples/storefront/handlers.py": "the handlers of its events",
        f"{folder}/front-door.log": "what the front door logged, a JSON line each",
        f"{folder}/worker.log": "what the worker logged",
    }
    width = max(map(len, places))
    for place, what in places.items():
        console.print(f"  {place:<{width}}  {what}", soft_wrap=True)
