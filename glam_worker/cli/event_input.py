"""What the user gives ``publish``, read as a handler would read it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from glam_shared.messaging import EventEnvelope, payload_for
from glam_shared.messaging.strict_json import InvalidJsonError, check_json
from glam_worker.declare.filters import check_filter, is_wildcard
from glam_worker.errors import UsageError

_FIRST_TOKENS = ("evt", "cmd")
_KEPT = {
    "dlq": "is a dead letter's, which only workers write; publish the event itself, to evt{rest}",
    "retry": "is a parked event's, which only workers write; publish the event itself",
}
_ENVELOPE = b'{"event_id":"-","event_type":"-","correlation_id":"-","source_service":"-",'
_TIMESTAMP = b'"timestamp":"1970-01-01T00:00:00Z","data":'


def check_subject(subject: str) -> None:
    """Raise UsageError unless an event can be published to it."""
    first = subject.partition(".")[0]
    if is_wildcard(subject):
        raise UsageError(f"subject {subject!r} has a wildcard; an event has one concrete subject")
    if first in _KEPT:
        kept = _KEPT[first].format(rest=subject.removeprefix(first))
        raise UsageError(f"subject {subject!r} {kept}")
    if first not in _FIRST_TOKENS:
        raise UsageError(f"subject {subject!r} does not begin with evt. or cmd.")
    problem = check_filter(f"evt{subject.removeprefix(first)}")
    if problem:
        raise UsageError(problem)


def check_id(option: str, given: str | None) -> None:
    """Raise UsageError for an id that is empty or not of one line."""
    if given is not None and not (given and given.isprintable()):
        raise UsageError(f"{option} is {given!r}; give printable text, or leave it out")


def read_source(option: str, given: str) -> bytes:
    """The bytes of an option: itself, a file's after ``@``, standard input's for ``-``."""
    if given == "-":
        return sys.stdin.buffer.read()
    if not given.startswith("@"):
        return given.encode(errors="surrogateescape")
    try:
        return Path(given[1:]).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(f"{option}: {given[1:]!r} cannot be read: {error.strerror}") from None


def read_object(option: str, text: bytes) -> dict[str, Any]:
    """A JSON object. Raises UsageError that says what is wrong and where."""
    try:
        check_json(text)
    except InvalidJsonError as error:
        raise UsageError(f"{option} is not JSON: {error}") from None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise UsageError(f"{option} is {_kind(value)}; it must be a JSON object: {{...}}")
    return value


def read_payload(subject: str, text: bytes) -> BaseModel | dict[str, Any]:
    """The payload of the catalogue, or for a subject outside of it any object.

    Raises UsageError with a line for each field that is wrong.
    """
    if not read_object("--data", text):
        raise UsageError("--data is an empty object; readers refuse an event without data")
    model: Any = payload_for(subject) or dict[str, Any]
    try:
        envelope = EventEnvelope[model].from_bytes(b"".join((_ENVELOPE, _TIMESTAMP, text, b"}")))
    except ValidationError as error:
        raise UsageError("\n".join(_field_problems(subject, error))) from None
    data: BaseModel | dict[str, Any] = envelope.data
    return data


def left_out(payload: BaseModel | dict[str, Any], text: bytes) -> list[str]:
    """Fields the user gave that the payload's model does not have."""
    if isinstance(payload, BaseModel):
        return sorted(_unknown(type(payload), json.loads(text), ""))
    return []


def _unknown(model: type[BaseModel], given: Mapping[str, Any], path: str) -> Iterator[str]:
    aliases = {info.alias or name: info for name, info in model.model_fields.items()}
    for name, value in given.items():
        info = aliases.get(name) or model.model_fields.get(name)
        if info is None:
            yield f"{path}{name}"
            continue
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict):
            yield from _unknown(kind, value, f"{path}{name}.")


def _field_problems(subject: str, error: ValidationError) -> Iterator[str]:
    model = payload_for(subject)
    yield f"--data does not fit {model.__name__ if model else 'an event'}, which {subject} carries:"
    for problem in error.errors():
        path = ".".join(map(str, problem["loc"][1:])) or "--data"
        said = problem["msg"].removeprefix("Value error, ")
        known = problem["type"] == "missing" or "found" in said
        yield f"  {path}: {said}" if known else f"  {path}: {said}, found {problem['input']!r:.80}"


def _kind(value: object) -> str:
    names = {list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
