"""A letter's payload as text that somebody edits, and the body that comes of it. Pure."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from glam_shared.messaging import EventEnvelope, payload_for
from glam_shared.messaging.strict_json import InvalidJsonError, check_json
from glam_worker.errors import UsageError
from glam_worker.jetstream.stored_letters import StoredLetter


def editable_text(letter: StoredLetter) -> str:
    """The payload, or all of a body that is no event, laid out to be edited.

    Raises UsageError where nobody can edit it: not text, or not in the letter.
    """
    if letter.record.reference is not None:
        raise UsageError(f"letter {letter.id} has no body: it stayed in its stream, unedited")
    whole = _event(letter.body)
    if whole is not None:
        return json.dumps(whole["data"], indent=2, ensure_ascii=False) + "\n"
    try:
        return letter.body.decode()
    except UnicodeDecodeError:
        raise UsageError(
            f"the body of letter {letter.id} is not text; export it to mend it"
        ) from None


def edited_body(letter: StoredLetter, text: str) -> bytes:
    """The body with the payload that ``text`` says; of a body that was no event, ``text`` itself.

    Raises UsageError with a line for each mistake, when the handler would refuse it: not JSON, not
    an event of the letter's subject, not what the catalogue says that subject carries.
    """
    body = text.encode(errors="surrogatepass")
    _check_json(body)
    whole = _event(letter.body)
    if whole is not None:
        whole = whole | {"data": json.loads(body)}
        body = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    _check_event(letter.record.subject, body)
    return body


def _event(body: bytes) -> dict[str, Any] | None:
    """The envelope, if all but its payload is in order."""
    try:
        EventEnvelope[Any].from_bytes(body)
        whole = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return whole if isinstance(whole, dict) and "data" in whole else None


def _check_json(body: bytes) -> None:
    try:
        check_json(body)
    except InvalidJsonError as error:
        raise UsageError(f"the edited payload is not JSON: {error}") from None


def _check_event(subject: str, body: bytes) -> None:
    model: Any = payload_for(subject) or dict[str, Any]
    try:
        envelope = EventEnvelope[model].from_bytes(body)
    except ValidationError as error:
        raise UsageError("\n".join(_problems(subject, error))) from None
    if envelope.event_type != subject:
        raise UsageError(
            f"the edited event has event_type {envelope.event_type!r}; on {subject} it must be "
            f"{subject!r}"
        )


def _problems(subject: str, error: ValidationError) -> list[str]:
    model = payload_for(subject)
    lines = [f"the edited payload is no {model.__name__ if model else 'event'} of {subject}:"]
    for problem in error.errors(include_input=False, include_url=False):
        path = ".".join(map(str, problem["loc"])) or "it"
        lines.append(f"  {path}: {problem['msg'].removeprefix('Value error, ')}")
    return lines
