"""The reference of handlers says what the code does."""

from __future__ import annotations

import inspect
from dataclasses import fields
from datetime import UTC, datetime

import pytest

import glam_worker
from glam_shared.errors import (
    ConflictError,
    DomainError,
    InfrastructureError,
    NotFoundError,
    RateLimitExceededError,
)
from glam_worker import EventContext, Listener, Reject, Retry, RetryPolicy, Snooze
from glam_worker.declare.outcomes import DONE, Outcome, outcome_of
from glam_worker.declare.registry import Registry
from glam_worker.declare.retry import Ack, DeadLetter, Park, Settlement, decide
from tests.docs.pages import DOCS, first_words, table_of, words_of

PAGE = DOCS / "handlers.md"


def _told_defaults(heading: str) -> dict[str, str]:
    return {
        word: (words_of(row[1]) or [row[1]])[0]
        for row in table_of(PAGE, heading)
        for word in words_of(row[0])
    }


def test_every_option_of_on_is_in_the_table_with_its_default() -> None:
    """The page lists the options of the decorator."""
    told = _told_defaults("## Options")
    options = {
        name: parameter.default
        for name, parameter in inspect.signature(Registry.on).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }

    assert list(options) == list(told)
    del options["name"], options["retry"]  # told in words
    assert {name: str(default) for name, default in options.items()} == {
        name: told[name].strip('"').partition(":")[0] for name in options
    }


def test_every_field_of_a_retry_policy_is_in_the_table_with_its_default() -> None:
    """The page lists the fields of the policy."""
    told = _told_defaults("## Retry policy")

    assert {one.name: str(one.default) for one in fields(RetryPolicy)} == told


def test_every_attribute_of_the_context_is_in_the_table() -> None:
    """The page lists all that a handler can read and call."""
    public = [name for name in vars(EventContext) if not name.startswith("_")]

    assert sorted(public) == sorted(first_words(PAGE, "## The event's context"))


def test_every_attribute_of_a_listener_is_in_the_table_with_its_default() -> None:
    """The page lists the class attributes that older services set."""
    told = _told_defaults("## Listener, the class form")
    names = [name for name, value in vars(Listener).items() if isinstance(value, int | str)]

    assert sorted(name for name in names if not name.startswith("_")) == sorted(told)
    assert {name: str(getattr(Listener, name)) for name in told} == {
        name: value.strip('"') for name, value in told.items()
    }


def test_every_public_name_is_on_the_page() -> None:
    """Whoever reads the page meets everything that can be imported."""
    listed = PAGE.read_text().partition("## Declaring")[0]

    assert sorted(glam_worker.__all__) == sorted(" ".join(words_of(listed)).split()[1:])


RAISED: dict[str, Exception | None] = {
    "nothing": None,
    "`Retry()`": Retry(),
    "`Retry(after=90)`": Retry(after=90),
    "`Snooze(after=600)`": Snooze(after=600),
    '`Reject("reason")`': Reject("reason"),
    "`DomainError`": ConflictError("taken"),
    "`InfrastructureError`": InfrastructureError("down"),
    "`InfrastructureError(retryable=False)`": InfrastructureError("gone", retryable=False),
    "`RateLimitExceededError`": RateLimitExceededError("slow down", retry_after=7),
    "any other exception": ValueError("?"),
}
POLICY = RetryPolicy(jitter=0.0)


@pytest.mark.parametrize("raised", RAISED)
def test_what_is_raised_becomes_what_the_table_says(raised: str) -> None:
    """Outcome, settlement and cost of each row are those of the code."""
    error = RAISED[raised]
    outcome: Outcome = DONE if error is None else outcome_of(error)
    settled = decide(outcome, 1, POLICY, now=datetime.now(UTC), draw=0.5)
    row = next(
        row
        for row in table_of(PAGE, "## How a run ends")
        if row[0] == raised or row[0].startswith((f"{raised}:", f"{raised},", f"{raised} and"))
    )

    assert type(outcome).__name__ == row[1]
    assert _in_words(settled) in _without_references(row[2])
    assert row[3] == {True: "yes", False: "no", None: ""}[_costs(settled)]


def _in_words(settled: Settlement) -> str:
    match settled:
        case Ack():
            return "acknowledged"
        case DeadLetter(reason):
            return f"dead letter `{reason}`"
        case Park(delay):
            known = {POLICY.delay(1): "the policy's delay", 90.0: "90 seconds", 600.0: "so long"}
            return f"parked for {known.get(delay, 'its `retry_after` seconds')}"
    raise AssertionError(settled)


def _without_references(cell: str) -> str:
    return cell.replace("as `Retry()`", "parked for the policy's delay")


def _costs(settled: Settlement) -> bool | None:
    return None if isinstance(settled, Ack) else settled.attempts == 1  # type: ignore[union-attr]


def test_the_errors_named_beside_domain_error_are_of_its_kind() -> None:
    """The examples in the table are subclasses."""
    assert issubclass(NotFoundError, DomainError)
    assert issubclass(ConflictError, DomainError)
