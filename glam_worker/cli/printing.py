"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import typer

_GAP = "  "
_PART = 1_000
"""Rows of a long table that are aligned with each other."""


def document(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


async def document_with_many(rest: Mapping[str, Any], name: str, items: AsyncIterator[Any]) -> int:
    """Print one JSON document whose field ``name`` has very many items; how many there were."""
    head = json.dumps(rest, ensure_ascii=False, default=str)[:-1]
    count = 0
    typer.echo(f'{head}{", " if rest else ""}"{name}": [', nl=False)
    async for item in items:
        typer.echo(",\n" if count else "\n", nl=False)
        typer.echo(json.dumps(item, ensure_ascii=False, default=str), nl=False)
        count += 1
    typer.echo("\n]}")
    return count


def visible(text: str) -> str:
    """What may come from anybody, with escapes for all that would act on a terminal."""
    if text.isprintable():
        return text
    shown = (
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    return "".join(shown)


def clear_screen() -> None:
    """Begin a new screen; in a pipe, a new paragraph."""
    typer.echo("\x1b[H\x1b[2J" if sys.stdout.isatty() else "", nl=not sys.stdout.isatty())


def note(text: str) -> None:
    """Say something beside the result, on stderr."""
    typer.echo(text, err=True)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table. Without a terminal: no colour, no wrapping, nothing cut."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _for_a_terminal(headers, cells)
    else:
        typer.echo(_aligned([[header.upper() for header in headers], *cells]))


def table_or_blocks(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; on a terminal that is too narrow for its lines, a block for each row."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    widest = max(map(len, _aligned([headers, *cells]).splitlines()))
    if sys.stdout.isatty() and widest > shutil.get_terminal_size().columns:
        typer.echo("\n\n".join(_block(headers, row) for row in cells))
    else:
        table(headers, rows)


def _block(headers: Sequence[str], row: Sequence[str]) -> str:
    """The first cell, and below it the others with their headers."""
    name, *rest = row
    width = max(map(len, headers))
    lines = [
        f"{_GAP}{header.ljust(width)}{_GAP}{cell}"
        for header, cell in zip(headers[1:], rest, strict=True)
    ]
    return "\n".join((name, *lines))


async def tables(headers: Sequence[str], rows: AsyncIterator[Sequence[object]]) -> int:
    """Print a table of very many rows, in parts of bounded size; how many rows there were."""
    part: list[Sequence[object]] = []
    count = 0
    async for row in rows:
        part.append(row)
        count += 1
        if len(part) == _PART:
            table(headers, part)
            part.clear()
    if part:
        table(headers, part)
    return count


def _shown(cell: object) -> str:
    return "-" if cell in (None, "") else visible(str(cell))


def _for_a_terminal(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 - only where a table is shown
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        shown.add_column(header, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    Console(markup=False, highlight=False).print(shown)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, one line a row."""
    plain = [[" ".join(cell.split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    return "\n".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in plain
    )
