"""What the page does: replay, drop, pause, resume. Each writes its audit line."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from glam_worker.console.reading import session_of
from glam_worker.console.session import Session
from glam_worker.errors import NotThereError
from glam_worker.jetstream.stored_letters import StoredLetter
from glam_worker.operate.handlers import KnownHandler, named_handlers
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letter_head import LetterHead, head_of_letter
from glam_worker.operate.letters import find_letter, heads, letter_stores, whole_letters
from glam_worker.operate.pausing import FOR_EVER, pause, resume
from glam_worker.operate.working_off import Progress, drop_letters, replay_letters

router = APIRouter(prefix="/api")


class Chosen(BaseModel):
    """One letter, or all letters of a group."""

    model_config = ConfigDict(extra="forbid")

    letter: Annotated[str, Field(max_length=300)] | None = None
    group: Annotated[str, Field(min_length=8, max_length=100)] | None = None

    @property
    def text(self) -> str:
        """For people."""
        return f"letter {self.letter}" if self.letter else f"group {self.group}"


class Pause(BaseModel):
    """For how long."""

    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[float, Field(gt=0, le=FOR_EVER)] = FOR_EVER


@router.post("/replay", status_code=202)
async def replay(request: Request, chosen: Chosen) -> dict[str, Any]:
    """Replay to the lane of the handler that failed."""
    session = session_of(request)
    work = partial(_replay, session, chosen)
    return session.jobs.start(f"replay {chosen.text}", _who(request), work).described()


async def _replay(session: Session, chosen: Chosen, progress: Progress) -> None:
    async with contextlib.aclosing(_letters(session, chosen)) as letters:
        await replay_letters(session.client, session.retry_stream, letters, progress)


@router.post("/drop", status_code=202)
async def drop(request: Request, chosen: Chosen) -> dict[str, Any]:
    """Delete for good."""
    session = session_of(request)
    work = partial(_drop, session, chosen)
    return session.jobs.start(f"drop {chosen.text}", _who(request), work).described()


async def _drop(session: Session, chosen: Chosen, progress: Progress) -> None:
    stores = await letter_stores(session.client)
    async with contextlib.aclosing(_heads(session, chosen)) as found:
        await drop_letters(session.client, found, stores, progress)


async def _letters(session: Session, chosen: Chosen) -> AsyncGenerator[StoredLetter, None]:
    if chosen.letter:
        yield await find_letter(session.client, chosen.letter)
        return
    meant = LetterFilter(service=session.service, group=_group(chosen))
    stores = await letter_stores(session.client)
    async with contextlib.aclosing(whole_letters(session.client, meant, stores)) as letters:
        async for letter in letters:
            yield letter


async def _heads(session: Session, chosen: Chosen) -> AsyncGenerator[LetterHead, None]:
    if chosen.letter:
        yield head_of_letter(await find_letter(session.client, chosen.letter))
        return
    meant = LetterFilter(service=session.service, group=_group(chosen))
    stores = await letter_stores(session.client)
    async with contextlib.aclosing(heads(session.client, meant, stores)) as found:
        async for head in found:
            yield head


def _group(chosen: Chosen) -> str:
    if chosen.group is None:
        raise NotThereError("name a letter or a group")
    return chosen.group


@router.post("/handlers/{service}/{handler}/pause")
async def pause_handler(
    request: Request, service: str, handler: str, wanted: Pause
) -> dict[str, Any]:
    """Pause the handler in all of its workers."""
    session = session_of(request)
    known = await _known(session, service, handler)
    session.jobs.audit(f"pause {handler} of {service}", _who(request))
    await pause(session.client, known, wanted.seconds)
    await session.watch.look()
    return {"paused": True}


@router.post("/handlers/{service}/{handler}/resume")
async def resume_handler(request: Request, service: str, handler: str) -> dict[str, Any]:
    """End the pause."""
    session = session_of(request)
    known = await _known(session, service, handler)
    session.jobs.audit(f"resume {handler} of {service}", _who(request))
    await resume(session.client, known)
    await session.watch.look()
    return {"paused": False}


async def _known(session: Session, service: str, handler: str) -> KnownHandler:
    if session.service not in (None, service):
        raise NotThereError(f"this console shows service {session.service} only")
    (known,) = await named_handlers(session.client, handler, service)
    return known


def _who(request: Request) -> str:
    return request.client.host if request.client else "unknown"
