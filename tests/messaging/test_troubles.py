"""What is said of a connection that is away."""

from __future__ import annotations

import logging

import pytest

from glam_shared.messaging.connect_causes import Cause
from glam_shared.messaging.troubles import Troubles

EXPIRED = Cause("TLS: certificate expired", lasting=True)
BROKE = Cause("the server closed the connection", vague=True)


def test_causes_in_turns_are_said_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """
    Attempts that end with one cause and another in turns write a line for each, until it is back.
    """
    troubles = Troubles(logging.getLogger("troubles"))
    for _ in range(5):
        troubles.failed(EXPIRED)
        troubles.failed(Cause("no answer in time"))
    assert 2 == len(caplog.messages)

    troubles.over()
    assert troubles.problem is None
    troubles.failed(EXPIRED)
    assert 3 == len(caplog.messages)


def test_a_cause_is_not_replaced_by_its_consequence(caplog: pytest.LogCaptureFixture) -> None:
    """
    That the server closes the connection is said as long as nothing tells why.
    """
    troubles = Troubles(logging.getLogger("troubles"))
    troubles.failed(BROKE)
    assert troubles.problem == "cannot reconnect: the server closed the connection"

    troubles.failed(EXPIRED)
    troubles.failed(BROKE)
    assert troubles.problem == "cannot reconnect: TLS: certificate expired"
    assert 2 == len(caplog.messages)


def test_causes_do_not_pile_up(caplog: pytest.LogCaptureFixture) -> None:
    """
    A cause with another text each time is said each time, and not remembered for ever.
    """
    troubles = Troubles(logging.getLogger("troubles"))
    for number in range(1000):
        troubles.failed(Cause(f"number {number}"))

    assert 1000 == len(caplog.messages)
    assert len(troubles._said) <= 100
