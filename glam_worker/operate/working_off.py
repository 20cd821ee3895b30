"""Replays or drops letters, very many of them if need be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from glam_shared.messaging import JetStreamClient
from glam_worker.jetstream.replay import ReplayRefused, Replays
from glam_worker.jetstream.stored_letters import StoredLetter, StoredLetters
from glam_worker.operate.letter_head import LetterHead
from glam_worker.operate.letters import LetterStore
from glam_worker.operate.paced import for_each

RATE = 500.0
"""Replays a second: what handlers do otherwise goes on beside them."""
MOST_REFUSALS = 20


@dataclass(slots=True)
class Progress:
    """How far it came. Read it whenever you like, after an interruption too."""

    done: int = 0
    gone: int = 0
    """Letters that were no longer there: somebody else replayed or dropped them."""
    refused: int = 0
    refusals: list[ReplayRefused] = field(default_factory=list)
    """The first ``MOST_REFUSALS``; such a letter stays where it was."""
    changed: Callable[[], None] = field(default=lambda: None, repr=False)
    """Called after each letter."""

    @property
    def seen(self) -> int:
        """All letters whose turn has come."""
        return self.done + self.gone + self.refused

    def refuse(self, error: ReplayRefused) -> None:
        """Count a letter that cannot be replayed."""
        self.refused += 1
        if len(self.refusals) < MOST_REFUSALS:
            self.refusals.append(error)

    def count(self, *, there: bool) -> None:
        """Count a letter that was worked off, or was gone."""
        if there:
            self.done += 1
        else:
            self.gone += 1


async def replay_letters(
    client: JetStreamClient,
    retry_stream: str,
    letters: AsyncIterator[StoredLetter],
    progress: Progress,
    rate: float | None = RATE,
) -> None:
    """Replay each letter to the lane of the handler that failed, and delete it.

    ``rate`` in letters a second. Interrupted, it can be run again: the lane takes each replay once
    within the retry stream's duplicate window (30 min). Raises BrokerError when the server does
    not answer; what cannot be replayed as it is, is counted.
    """
    replays = Replays(client, retry_stream)

    async def replay(letter: StoredLetter) -> None:
        try:
            progress.count(there=await replays.replay(letter))
        except ReplayRefused as error:
            progress.refuse(error)
        progress.changed()

    await for_each(letters, replay, rate)


async def replay_edited(
    client: JetStreamClient,
    retry_stream: str,
    letter: StoredLetter,
    body: bytes,
    progress: Progress,
) -> None:
    """Replay one letter with another body (see ``editing``); its past says so."""
    try:
        progress.count(there=await Replays(client, retry_stream).replay(letter, body))
    except ReplayRefused as error:
        progress.refuse(error)
    progress.changed()


async def drop_letters(
    client: JetStreamClient,
    letters: AsyncIterator[LetterHead],
    stores: tuple[LetterStore, ...],
    progress: Progress,
) -> None:
    """Delete letters for good. Raises BrokerError."""
    created = {store.stream: store.created for store in stores}

    async def drop(head: LetterHead) -> None:
        there = await StoredLetters(client, head.stream).drop(created[head.stream], head.sequence)
        progress.count(there=there)
        progress.changed()

    await for_each(letters, drop)
