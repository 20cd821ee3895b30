"""What the page asks: handlers, their last hour, letters."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request

from glam_shared.messaging.headers import many_lines
from glam_worker.console.session import Session
from glam_worker.errors import NotThereError
from glam_worker.operate.describing import described_group, described_head, described_letter
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letter_groups import grouped
from glam_worker.operate.letter_head import LetterHead, group_of
from glam_worker.operate.letters import LetterStore, find_letter, heads, letter_stores
from glam_worker.operate.status import HandlerStatus

router = APIRouter(prefix="/api")

MOST_LISTED = 200
"""Letters of a group that are listed, the newest first."""


def session_of(request: Request) -> Session:
    """The session behind a request."""
    session: Session = request.app.state.session
    return session


@router.get("/overview")
async def overview(request: Request) -> dict[str, Any]:
    """Handlers and streams as of the newest look."""
    session = session_of(request)
    watch, status = session.watch, session.watch.status
    return {
        "acting": session.access.acting,
        "service": session.service,
        "problem": watch.problem,
        "at": status and status.at.isoformat(),
        "server_version": status and status.server_version,
        "letters": status and status.letters,
        "notes": list(status.notes) if status else [],
        "handlers": [_handler(session, one) for one in status.handlers] if status else [],
        "streams": [
            {
                "name": stream.name,
                "messages": stream.messages,
                "bytes": stream.size,
                "trouble": list(stream.trouble),
            }
            for stream in (status.streams if status else ())
        ],
    }


def _handler(session: Session, one: HandlerStatus) -> dict[str, Any]:
    last = session.watch.samples.last(one.service, one.handler)
    return {
        "service": one.service,
        "handler": one.handler,
        "subject": one.subject,
        "stream": one.stream,
        "pending": one.pending,
        "pending_lane": one.pending_lane,
        "in_flight": one.in_flight,
        "redelivered": one.redelivered,
        "parked": one.parked,
        "letters": one.letters,
        "last_activity": one.last_activity and one.last_activity.isoformat(),
        "workers": one.workers,
        "paused": one.paused,
        "paused_for": None if one.paused_for_ever else one.paused_for,
        "drift": list(one.drift),
        "rate": last and last.rate,
        "p50": last and last.p50,
        "p99": last and last.p99,
    }


@router.get("/handlers/{service}/{handler}")
async def history(request: Request, service: str, handler: str) -> dict[str, Any]:
    """The samples of the last hour."""
    session = session_of(request)
    for one in session.watch.status.handlers if session.watch.status else ():
        if (one.service, one.handler) == (service, handler):
            told = _handler(session, one)
            return {"handler": told, "samples": session.watch.samples.of(service, handler)}
    raise NotThereError(f"there is no handler {handler} of service {service}")


@router.get("/groups")
async def groups(
    request: Request, handler: str | None = None, reason: str | None = None
) -> dict[str, Any]:
    """Letters that failed alike, counted together."""
    session = session_of(request)
    chosen = LetterFilter(service=session.service, handler=handler or None, reason=reason or None)
    stores = await letter_stores(session.client)
    async with contextlib.aclosing(heads(session.client, chosen, stores)) as found:
        whole = await grouped(found)
    return {
        "letters": whole.letters,
        "others": whole.others,
        "groups": [described_group(group) for group in whole.groups],
    }


@router.get("/groups/{group}")
async def letters(request: Request, group: str) -> dict[str, Any]:
    """The newest letters of a group, and how many there are in all."""
    session = session_of(request)
    stores = await letter_stores(session.client)
    newest, count = await _newest(session, group, stores)
    if not count:
        raise NotThereError(f"group {group} has no letters any more")
    return {"group": group, "count": count, "letters": [described_head(head) for head in newest]}


async def _newest(
    session: Session, group: str, stores: Sequence[LetterStore]
) -> tuple[list[LetterHead], int]:
    chosen = LetterFilter(service=session.service, group=group)
    newest: list[LetterHead] = []
    count = 0
    async with contextlib.aclosing(heads(session.client, chosen, stores)) as found:
        async for head in found:
            count += 1
            newest.append(head)
            if len(newest) > 2 * MOST_LISTED:
                newest = newest[-MOST_LISTED:]
    return newest[: -MOST_LISTED - 1 : -1], count


@router.get("/letters/{letter_id}")
async def letter(request: Request, letter_id: str) -> dict[str, Any]:
    """All there is of one letter."""
    found = await find_letter(session_of(request).client, letter_id)
    record = found.record
    told = described_letter(found, record, group_of(record))
    return told | {"traceback": many_lines(record.traceback)}


@router.get("/jobs/{number}")
async def job(request: Request, number: int) -> dict[str, Any]:
    """How far a replay or a drop has come."""
    found = session_of(request).jobs.get(number)
    if found is None:
        raise NotThereError(f"there is no job {number}")
    return found.described()
