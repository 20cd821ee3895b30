"""The world outside of the shop, as it is: slow, limited, and at times not willing. Simulated."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator

from examples.storefront.store import Store
from glam_shared import ServiceUnavailableError

GREYLISTING_DOMAIN = "grey.example"
"""Its mail server refuses the first mail to an address and takes the second."""

_PAGE = 50
_PAGE_SECONDS = 0.03
_MAIL_SECONDS = 0.005


class MailServer:
    """Sends mails, as far as the addressees' servers take them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(self, address: str, text: str) -> None:
        """Raises ServiceUnavailableError when the mail is not taken."""
        await asyncio.sleep(_MAIL_SECONDS)
        domain = address.partition("@")[2]
        if not self._store.takes_mail(domain):
            raise ServiceUnavailableError(f"550 {domain} takes no mail from this sender")
        if domain == GREYLISTING_DOMAIN and self._store.is_first_contact(address):
            raise ServiceUnavailableError(f"451 greylisted by {domain}, try again")


class ShopApi:
    """A shop platform's API: catalogues in pages, and only so many of them a second."""

    def __init__(self, syncs_per_second: int) -> None:
        self._limit = syncs_per_second
        self._second = 0
        self._used = 0

    def allows_one_more(self) -> bool:
        """Whether another catalogue may be fetched in this second; counts it if so."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._used = second, 0
        self._used += 1
        return self._used <= self._limit

    def products_of(self, domain: str) -> int:
        """How many products a shop has: any number, but the same each time."""
        return 20 + zlib.crc32(domain.encode()) % 300

    async def pages(self, products: int) -> AsyncIterator[range]:
        """The shop's products, page by page."""
        for first in range(0, products, _PAGE):
            await asyncio.sleep(_PAGE_SECONDS)
            yield range(first, min(first + _PAGE, products))
