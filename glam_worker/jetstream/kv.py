"""A key-value bucket over plain JetStream calls (ADR-8): read, create, replace by revision.

Not nats-py's ``KeyValue``: that one changes headers in passing and reads from followers.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound, PublishRefused
from glam_shared.messaging.headers import NATS_EXPECTED_LAST_SUBJECT_SEQUENCE

_WRONG_LAST_SEQUENCE = (10071, 10164)
_NO_STREAM = 10059
_OPERATION = "KV-Operation"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and the revision it has."""

    value: bytes
    revision: int


class Bucket:
    """One bucket. Raises BrokerError where the server cannot be asked.

    ``budget`` is how many seconds a write is tried for. A bucket that does not exist has no
    values, unless it ``must_exist``: then reading it raises NotFound.
    """

    def __init__(
        self, client: JetStreamClient, name: str, *, budget: float = 30.0, must_exist: bool = False
    ) -> None:
        self._client = client
        self._budget = budget
        self._must_exist = must_exist
        self._name = name
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}"

    async def get(self, key: str) -> Entry | None:
        """The present value, read from the leader; None where there is none."""
        request = {"last_by_subj": f"{self._prefix}.{key}"}
        try:
            answer = await self._client.api(f"STREAM.MSG.GET.{self._stream}", request)
        except NotFound as error:
            if self._must_exist and error.err_code == _NO_STREAM:
                raise
            return None
        message = answer["message"]
        value = base64.b64decode(message.get("data") or "")
        return Entry(value, int(message["seq"])) if value else None

    async def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix that were ever written; none where there is no bucket."""
        found: list[str] = []
        request: dict[str, object] = {"subjects_filter": f"{self._prefix}.{prefix}.>"}
        while True:
            try:
                answer = await self._client.api(
                    f"STREAM.INFO.{self._stream}", {**request, "offset": len(found)}
                )
            except NotFound:
                return []
            page = answer["state"].get("subjects") or {}
            found += [subject.removeprefix(f"{self._prefix}.") for subject in page]
            if not page or len(found) >= int(answer.get("total", 0)):
                return found

    async def create(self, key: str, value: bytes) -> int | None:
        """Write a key that has no value; its revision, None if it has one already."""
        revision = await self._write(key, value, 0)
        if revision is not None:
            return revision
        return await self._over_nothing(key, value)

    async def replace(self, key: str, value: bytes, revision: int) -> int | None:
        """Write over the value of ``revision``; the new revision, None if it is another by now."""
        return await self._write(key, value, revision)

    async def give_up(self, key: str, revision: int) -> bool:
        """Delete the value of ``revision``; False if it is another by now."""
        return await self._write(key, b"", revision) is not None

    async def _over_nothing(self, key: str, value: bytes) -> int | None:
        """A key that was given up has a revision, and no value."""
        request = {"last_by_subj": f"{self._prefix}.{key}"}
        try:
            answer = await self._client.api(f"STREAM.MSG.GET.{self._stream}", request)
        except NotFound:
            return await self._write(key, value, 0)
        if answer["message"].get("data"):
            return None
        return await self._write(key, value, int(answer["message"]["seq"]))

    async def _write(self, key: str, value: bytes, expected: int) -> int | None:
        headers = {NATS_EXPECTED_LAST_SUBJECT_SEQUENCE: str(expected)}
        if not value:
            headers[_OPERATION] = "DEL"
        try:
            stored = await self._client.publish_acked(
                f"{await self._client.keys_of(self._name)}.{key}",
                value,
                headers,
                msg_id=uuid.uuid4().hex,
                budget=self._budget,
            )
        except PublishRefused as error:
            if error.err_code in _WRONG_LAST_SEQUENCE:
                return None
            raise
        return stored.seq
