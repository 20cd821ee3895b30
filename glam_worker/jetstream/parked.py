"""The parked events of a service: how many each handler has, and how many are past their time."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_shared.messaging.headers import NATS_SCHEDULE, read_moment
from glam_shared.messaging.wire import read_headers

LATE = timedelta(seconds=10)
"""The server keeps a schedule to within 250 ms; it may be electing a leader."""
_READS = 200
"""Events whose time is read in one look: each costs a request."""
KNOWN = 20_000
"""Events whose time is remembered."""


async def subjects_of(
    client: JetStreamClient, stream: str, subject: str
) -> AsyncIterator[tuple[str, int]]:
    """The subjects of a stream below a filter, and how many messages each has."""
    offset, total = 0, 1
    while offset < total:
        request = {"subjects_filter": subject, "offset": offset}
        info = await client.api(f"STREAM.INFO.{stream}", request)
        found: dict[str, int] = info["state"].get("subjects") or {}
        for one in found.items():
            yield one
        offset, total = offset + len(found), int(info.get("total") or 0)
        if not found:
            return


class ParkedEvents:
    """Looks at what one service has parked.

    The server does not say when a schedule is due, so the message is read: not of an event that is
    seen for the first time, as most are gone at the next look.
    """

    def __init__(self, client: JetStreamClient, stream: str, service: str) -> None:
        self._client = client
        self._stream = stream
        self._service = service
        self._seen: set[str] = set()
        self._due: dict[str, datetime | None] = {}

    async def look(self) -> tuple[Counter[str], Counter[str]]:
        """By handler: the parked events, and those past their time. Raises BrokerError."""
        wait = f"retry.wait.{self._service}.>"
        present = {subject async for subject, _ in subjects_of(self._client, self._stream, wait)}
        stayed = self._seen & present
        self._seen = present
        await self._read_times(stayed)
        late = self._client.server_time() - LATE
        overdue = (subject for subject, due in self._due.items() if due is not None and due < late)
        return Counter(map(_handler, present)), Counter(map(_handler, overdue))

    async def _read_times(self, stayed: set[str]) -> None:
        self._due = {subject: due for subject, due in self._due.items() if subject in stayed}
        unread = [subject for subject in stayed if subject not in self._due]
        for subject in unread[: min(_READS, KNOWN - len(self._due))]:
            self._due[subject] = await self._read_time(subject)

    async def _read_time(self, subject: str) -> datetime | None:
        request = {"last_by_subj": subject}
        try:
            answer = await self._client.api(f"STREAM.MSG.GET.{self._stream}", request)
        except NotFound:
            return None
        block = base64.b64decode(answer["message"].get("hdrs") or "")
        return read_moment(read_headers(block).get(NATS_SCHEDULE, "").removeprefix("@at "))


def _handler(subject: str) -> str:
    return subject.split(".")[3]
