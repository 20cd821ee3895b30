"""What is done about a run: the table of outcomes, and the properties of the policy."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam_shared.errors import (
    ConflictError,
    InfrastructureError,
    RateLimitExceededError,
    ServiceUnavailableError,
    ValidationError,
)
from glam_worker import Reject, Retry, RetryPolicy, Snooze
from glam_worker.declare.outcomes import DONE, Invalid, outcome_of
from glam_worker.declare.retry import ACK, DeadLetter, Park, Settlement, decide
from glam_worker.errors import DeclarationError, DeclarationErrors

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RetryPolicy(attempts=3, first=1.0, factor=4.0, jitter=0.2)

POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 50),
    first=st.floats(0, 1e6),
    factor=st.floats(1, 1e6),
    ceiling=st.floats(0, 1e6),
    jitter=st.floats(0, 1),
)


def settled(outcome: Any, attempt: int = 1, policy: RetryPolicy = POLICY) -> Settlement:
    """What is decided, without a shift by jitter."""
    return decide(outcome, attempt, policy, now=NOW, draw=0.5)


def of(error: Exception, attempt: int = 1, policy: RetryPolicy = POLICY) -> Settlement:
    """What is decided about an exception that a handler raised."""
    return settled(outcome_of(error, policy.fatal, policy.retry_on), attempt, policy)


@pytest.mark.parametrize(
    ("outcome", "attempt", "settlement"),
    [
        (DONE, 1, ACK),
        (DONE, 3, ACK),
        (Retry(), 1, Park(1.0, 1)),
        (Retry(), 2, Park(4.0, 2)),
        (Retry(), 3, DeadLetter("exhausted", 3)),
        (Retry(), 4, DeadLetter("exhausted", 4)),
        (Retry(after=60), 1, Park(60.0, 1)),
        (Retry(after=0), 2, Park(0.0, 2)),
        (Retry(after=timedelta(minutes=2)), 1, Park(120.0, 1)),
        (Retry(after=60), 3, DeadLetter("exhausted", 3)),
        (Snooze(after=60), 1, Park(60.0, 0)),
        (Snooze(after=60), 3, Park(60.0, 2)),
        (Snooze(after=60), 9, Park(60.0, 8)),
        (Snooze(until=NOW + timedelta(seconds=30)), 2, Park(30.0, 1)),
        (Snooze(until=NOW - timedelta(seconds=30)), 2, Park(0.0, 1)),
        (Reject("no lines"), 1, DeadLetter("rejected", 1)),
        (Reject("no lines"), 3, DeadLetter("rejected", 3)),
        (Invalid(ValueError("x")), 1, DeadLetter("invalid", 1)),
    ],
)
def test_an_outcome_has_one_settlement(outcome: Any, attempt: int, settlement: Settlement) -> None:
    """Outcome and attempt alone decide: ack, park and its delay, letter and its reason."""
    decided = settled(outcome, attempt)

    assert type(decided) is type(settlement)
    for name in ("delay", "attempts", "reason"):
        assert getattr(decided, name, None) == getattr(settlement, name, None)


@pytest.mark.parametrize(
    ("error", "settlement"),
    [
        (RuntimeError("boom"), Park(1.0, 1)),
        (TimeoutError(), Park(1.0, 1)),
        (asyncio.InvalidStateError(), Park(1.0, 1)),
        (ValidationError("bad"), DeadLetter("rejected", 1)),
        (ConflictError("twice"), DeadLetter("rejected", 1)),
        (InfrastructureError("down", service="db"), Park(1.0, 1)),
        (InfrastructureError("gone", service="db", retryable=False), DeadLetter("rejected", 1)),
        (ServiceUnavailableError("down"), Park(1.0, 1)),
        (RateLimitExceededError("slow down"), Park(1.0, 1)),
        (RateLimitExceededError("slow down", retry_after=17), Park(17.0, 1)),
        (RateLimitExceededError("slow down", retry_after=0), Park(0.0, 1)),
    ],
)
def test_an_error_of_the_platform_has_its_settlement(
    error: Exception, settlement: Settlement
) -> None:
    """Domain errors reject, infrastructure errors and all others retry, limits say when."""
    decided = of(error)

    assert type(decided) is type(settlement)
    assert getattr(decided, "delay", None) == getattr(settlement, "delay", None)
    assert getattr(decided, "cause", None) is error


def test_the_policys_lists_override_the_platforms_fatal_first() -> None:
    """``fatal`` rejects what would be retried, ``retry_on`` retries what would be rejected."""
    policy = RetryPolicy(fatal=(KeyError,), retry_on=(ValidationError, LookupError))

    assert isinstance(of(ValidationError("bad"), policy=policy), Park)
    assert isinstance(of(LookupError("x"), policy=policy), Park)
    assert isinstance(of(KeyError("x"), policy=policy), DeadLetter)


def test_what_a_handler_asks_for_wins_over_the_lists() -> None:
    """``Retry``, ``Snooze`` and ``Reject`` are taken at their word."""
    policy = RetryPolicy(fatal=(Exception,))

    assert isinstance(of(Retry(after=5), policy=policy), Park)
    assert isinstance(of(Snooze(after=5), policy=policy), Park)


def test_a_cause_is_carried_to_the_letter() -> None:
    """``raise Reject(...) from error`` shows the error, a bare one itself."""
    error = KeyError("id")
    try:
        raise Reject("no such order") from error
    except Reject as reject:
        chained = settled(reject)
    bare = settled(Reject("no such order"))

    assert isinstance(chained, DeadLetter)
    assert isinstance(bare, DeadLetter)
    assert chained.cause is error
    assert isinstance(bare.cause, Reject)


def test_the_defaults_wait_about_1_4_16_and_64_seconds() -> None:
    """Five attempts by default, each delay four times the one before."""
    assert [RetryPolicy().delay(attempt) for attempt in range(1, 6)] == [1, 4, 16, 64, None]


@given(POLICIES, st.integers(1, 60))
def test_attempts_end_exactly_where_the_policy_says(policy: RetryPolicy, attempt: int) -> None:
    """There is a delay after each attempt but the last."""
    assert (policy.delay(attempt) is None) == (attempt >= policy.attempts)


@given(POLICIES)
def test_delays_never_shrink_and_never_pass_the_ceiling(policy: RetryPolicy) -> None:
    """Each delay is at least the one before and at most the ceiling, never negative."""
    delays = [policy.delay(attempt) for attempt in range(1, policy.attempts)]
    known = [delay for delay in delays if delay is not None]

    assert known == sorted(known)
    assert len(known) == policy.attempts - 1
    assert all(0 <= delay <= policy.ceiling for delay in known)


@given(POLICIES)
def test_the_longest_delays_are_those_of_the_policy(policy: RetryPolicy) -> None:
    """The longest delay, and all of them together, are what ``delay`` says, jitter included."""
    delays = [policy.delay(attempt) or 0.0 for attempt in range(1, policy.attempts)]
    most = 1 + policy.jitter

    assert policy.longest_delay == pytest.approx(max(delays, default=0.0) * most)
    assert policy.all_delays == pytest.approx(sum(delays) * most, rel=1e-6)


def test_the_longest_delays_of_a_great_many_attempts_are_known_at_once() -> None:
    """No loop over attempts, and no number that is too large for one."""
    assert RetryPolicy(attempts=10**12 + 5, ceiling=100).all_delays == pytest.approx(1.2e14)
    assert RetryPolicy(attempts=10**400, ceiling=100).all_delays == float("inf")


@given(POLICIES, st.floats(0, 1e6), st.floats(0, 1))
def test_jitter_stays_within_its_share(policy: RetryPolicy, delay: float, draw: float) -> None:
    """A delay is spread by at most its share to either side, whatever is drawn."""
    spread = policy.spread(delay, draw)

    assert delay * (1 - policy.jitter) <= spread * (1 + 1e-9)
    assert spread <= delay * (1 + policy.jitter) * (1 + 1e-9)


@given(POLICIES, st.floats(0, 1e6), st.integers(1, 60), st.floats(0, 1))
def test_a_delay_given_by_hand_is_kept(
    policy: RetryPolicy, after: float, attempt: int, draw: float
) -> None:
    """Jitter and ceiling do not touch what a handler asked for."""
    retried = decide(Retry(after), attempt, policy, now=NOW, draw=draw)
    snoozed = decide(Snooze(after), attempt, policy, now=NOW, draw=draw)

    assert isinstance(snoozed, Park)
    assert (snoozed.delay, snoozed.attempts) == (after, attempt - 1)
    if attempt < policy.attempts:
        assert retried == Park(after, attempt, retried.cause)  # type: ignore[union-attr]
    else:
        assert isinstance(retried, DeadLetter)


@given(POLICIES, st.lists(st.sampled_from(["retry", "snooze"]), max_size=120))
def test_snoozing_never_brings_the_end_nearer(policy: RetryPolicy, course: list[str]) -> None:
    """However often an event is snoozed in between, it has as many attempts as the policy says."""
    counted = retries = 0
    for step in course:
        outcome = Retry() if step == "retry" else Snooze(after=1)
        decided = decide(outcome, counted + 1, policy, now=NOW, draw=0.5)
        retries += step == "retry"
        if isinstance(decided, DeadLetter):
            assert retries == policy.attempts
            return
        assert isinstance(decided, Park)
        counted = decided.attempts
    assert counted == retries < policy.attempts


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("attempts", 0),
        ("attempts", 1.5),
        ("attempts", True),
        ("first", -1),
        ("first", float("inf")),
        ("first", float("nan")),
        ("factor", 0.5),
        ("factor", "4"),
        ("ceiling", -1),
        ("ceiling", float("inf")),
        ("jitter", 1.1),
        ("jitter", -0.1),
        ("fatal", (int,)),
        ("retry_on", "KeyError"),
        ("fatal", (KeyboardInterrupt,)),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(option: str, value: Any) -> None:
    """A wrong value is a mistake of the user's line, which names the option and what was found."""
    with pytest.raises(DeclarationError, match=f"{option}=.* is not allowed") as caught:
        RetryPolicy(**{option: value})
    assert str(caught.value.where).startswith("tests/declare/test_retry.py:")


def test_every_wrong_value_of_a_policy_is_told() -> None:
    """Not the first alone."""
    with pytest.raises(DeclarationErrors) as caught:
        RetryPolicy(attempts=0, jitter=2, fatal=(int,))  # type: ignore[arg-type]
    told = [mistake.problem for mistake in caught.value.each]
    assert [problem.partition("=")[0] for problem in told] == [
        "RetryPolicy attempts",
        "RetryPolicy jitter",
        "RetryPolicy fatal",
    ]


@pytest.mark.parametrize("after", [-1, float("inf"), float("nan"), timedelta(seconds=-1)])
def test_a_delay_is_a_finite_number_of_seconds(after: Any) -> None:
    """``Retry`` and ``Snooze`` refuse what is no delay."""
    with pytest.raises(ValueError, match="number of seconds"):
        Retry(after)
    with pytest.raises(ValueError, match="number of seconds"):
        Snooze(after)


def test_a_snooze_has_one_time() -> None:
    """``Snooze`` takes exactly one of after and until, and until has a zone."""
    with pytest.raises(ValueError, match="exactly one"):
        Snooze()
    with pytest.raises(ValueError, match="exactly one"):
        Snooze(1, until=NOW)
    with pytest.raises(ValueError, match="no time zone"):
        Snooze(until=datetime(2026, 1, 1))  # noqa: DTZ001
