"""Which letters a command acts on: some that are named, or all that a filter takes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glam_worker.errors import NotThereError, UsageError
from glam_worker.operate.handlers import known_handlers, no_handler
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letter_groups import Grouped, grouped
from glam_worker.operate.letter_head import LetterHead, head_of_letter
from glam_worker.operate.letters import (
    NO_STORE,
    LetterStore,
    find_letter,
    heads,
    letter_stores,
    whole_letters,
)

if TYPE_CHECKING:
    from glam_shared.messaging import JetStreamClient
    from glam_worker.jetstream.stored_letters import StoredLetter


@dataclass(frozen=True, slots=True)
class Meant:
    """The letters that a command acts on, as they were when they were looked at."""

    client: JetStreamClient
    chosen: LetterFilter
    stores: tuple[LetterStore, ...]
    whole: Grouped
    named: tuple[StoredLetter, ...] | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return self.whole.letters

    async def heads(self) -> AsyncGenerator[LetterHead, None]:
        """Their heads, oldest first."""
        if self.named is not None:
            for letter in self.named:
                yield head_of_letter(letter)
            return
        async with contextlib.aclosing(heads(self.client, self.chosen, self.stores)) as found:
            async for head in found:
                yield head

    async def letters(self) -> AsyncGenerator[StoredLetter, None]:
        """The letters, oldest first."""
        if self.named is not None:
            for letter in self.named:
                yield letter
            return
        walk = whole_letters(self.client, self.chosen, self.stores)
        async with contextlib.aclosing(walk) as found:
            async for letter in found:
                yield letter

    def in_words(self) -> str:
        """How many of which handlers: ``12 letters (ship of shop: 10, count of shop: 2)``."""
        counts: dict[str, int] = {}
        for group in self.whole.groups:
            owner = f"{group.handler} of {group.service}" if group.handler else "no handler"
            counts[owner] = counts.get(owner, 0) + group.count
        listed = ", ".join(f"{owner}: {count}" for owner, count in list(counts.items())[:8])
        more = ", ..." if len(counts) > 8 else ""
        return f"{self.count} letter{'' if self.count == 1 else 's'} ({listed}{more})"


def check_choice(named: Sequence[str], chosen: LetterFilter, *, every: bool) -> None:
    """Raise UsageError unless it is said which letters are meant, in one way."""
    ways = sum((bool(named), not chosen.empty, every))
    if not ways:
        raise UsageError(
            "say which letters: LETTER..., a filter such as --group or --handler, or --all"
        )
    if ways > 1:
        raise UsageError("LETTER..., filters and --all exclude each other; give one of them")


async def meant_by(client: JetStreamClient, named: Sequence[str], chosen: LetterFilter) -> Meant:
    """Look at what is meant. Raises NotThereError for a letter or handler that is not there."""
    stores = await letter_stores(client)
    if not stores:
        raise NotThereError(NO_STORE)
    if named:
        letters = tuple([await find_letter(client, one) for one in dict.fromkeys(named)])
        meant = Meant(client, chosen, stores, Grouped(), letters)
    else:
        meant = Meant(client, chosen, stores, Grouped())
    async with contextlib.aclosing(meant.heads()) as found:
        whole = await grouped(found)
    if not whole.letters and chosen.handler is not None:
        await _check_handler(client, chosen)
    return Meant(client, chosen, stores, whole, meant.named)


async def _check_handler(client: JetStreamClient, chosen: LetterFilter) -> None:
    """A handler without letters is fine; one that nobody has heard of is a mistake."""
    known = await known_handlers(client)
    names = {(one.name, one.service) for one in known}
    if not any(
        name == chosen.handler and chosen.service in (None, service) for name, service in names
    ):
        raise NotThereError(no_handler(chosen.handler or "", chosen.service, known))
