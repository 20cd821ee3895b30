"""``glam-worker dlq list``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glam_shared.wording import counted
from glam_worker.cli.dlq import choosing
from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Servers
from glam_worker.cli.printing import document, document_with_many, note, table, tables

if TYPE_CHECKING:
    from glam_worker.operate.letter_filter import LetterFilter
    from glam_worker.operate.letter_groups import Grouped
    from glam_worker.operate.letter_head import LetterHead
    from glam_worker.operate.letters import LetterStore
    from glam_worker.settings import Settings

_GROUPS = (
    *("group", "letters", "service", "handler", "reason", "error"),
    *("first seen", "last seen", "example"),
)
_LETTERS = ("letter", "failed at", "service", "handler", "reason", "attempts", "subject", "error")


def list_letters(  # noqa: PLR0913, PLR0917 - one for each option
    service: choosing.Service = None,
    handler: choosing.Handler = None,
    reason: choosing.Reason = None,
    subject: choosing.Subject = None,
    error: choosing.Error = None,
    older_than: choosing.OlderThan = None,
    group: choosing.Group = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every letter, instead of groups of like ones.")
    ] = False,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """List dead letters, grouped by handler, reason and error.

    Example: glam-worker dlq list --handler provision --older-than 1h
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    with explained():
        chosen = choosing.chosen_by(
            service=service,
            handler=handler,
            reason=reason,
            subject=subject,
            error=error,
            older_than=older_than,
            group=group,
        )
        settings = Settings.load(nats_servers=servers)
        asyncio.run(_list(settings, chosen, every=every, as_json=as_json))


async def _list(settings: Settings, chosen: LetterFilter, *, every: bool, as_json: bool) -> None:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.operate.letter_groups import grouped  # noqa: PLC0415
    from glam_worker.operate.letters import NO_STORE, heads, letter_stores  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        stores = await letter_stores(client)
        _warn(stores, settings)
        async with contextlib.aclosing(heads(client, chosen, stores)) as found:
            if every:
                count = await _print_all(found, stores, as_json=as_json)
            else:
                whole = await grouped(found)
                _print_groups(whole, stores, as_json=as_json)
                count = whole.letters
    if not count:
        note(f"glam-worker: {_nothing(chosen) if stores else NO_STORE}")


def _nothing(chosen: LetterFilter) -> str:
    return "no dead letters" if chosen.empty else "no dead letter is of this kind"


def _warn(stores: tuple[LetterStore, ...], settings: Settings) -> None:
    for store in stores:
        if store.max_age:
            note(
                f"glam-worker: warning: letters lie in stream {store.stream}, which forgets them "
                f"after {store.max_age / 3600:g} h"
            )


def _print_groups(whole: Grouped, stores: tuple[LetterStore, ...], *, as_json: bool) -> None:
    from glam_worker.operate.describing import described_group, described_store  # noqa: PLC0415

    if as_json:
        document(
            {
                "letters": whole.letters,
                "bytes": whole.size,
                "streams": [described_store(store) for store in stores],
                "groups": [described_group(group) for group in whole.groups],
                "others": whole.others,
            }
        )
        return
    if not whole.letters:
        return
    rows = [_group_row(described_group(group)) for group in whole.groups]
    table(_GROUPS, rows)
    if whole.others:
        note(f"glam-worker: and {whole.others} letters of other kinds; narrow the list")
    groups = counted(len(whole.groups), "group")
    note(
        f"glam-worker: {counted(whole.letters, 'letter')} in {groups}; "
        "`glam-worker dlq show LETTER` tells all of one"
    )


def _group_row(group: dict[str, Any]) -> list[object]:
    return [
        *(group["group"], group["count"], group["service"], group["handler"], group["reason"]),
        _error(group),
        *(group["first_seen"], group["last_seen"], group["example"]),
    ]


def _error(described: dict[str, Any]) -> str:
    both = (described["error"], described["error_message"])
    return ": ".join(part for part in both if part)


async def _print_all(
    found: AsyncIterator[LetterHead], stores: tuple[LetterStore, ...], *, as_json: bool
) -> int:
    """Print as they come: there may be very many. How many there were."""
    from glam_worker.operate.describing import described_head, described_store  # noqa: PLC0415

    described = (described_head(head) async for head in found)
    if as_json:
        rest = {"streams": [described_store(store) for store in stores]}
        return await document_with_many(rest, "letters", described)
    return await tables(_LETTERS, (_letter_row(one) async for one in described))


def _letter_row(letter: dict[str, Any]) -> list[object]:
    return [
        *(letter["id"], letter["failed_at"], letter["service"], letter["handler"]),
        *(letter["reason"], letter["attempts"], letter["subject"], _error(letter)),
    ]
