"""What `make bench-guard` judges."""

from __future__ import annotations

import pytest

from benchmarks import guard


@pytest.mark.parametrize(("ratio", "code"), [(1.2, 0), (1.6, 0), (1.83, 0), (1.85, 1), (3.0, 1)])
def test_an_event_may_cost_up_to_fifteen_per_cent_more_than_recorded(
    ratio: float, code: int
) -> None:
    """Beyond that the guard fails; a cheaper event is no reason to."""
    assert guard.verdict(ratio, recorded=1.6) == code


def test_a_failure_says_what_was_found_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """By how much the cost grew, and how a cost that is meant is recorded."""
    guard.verdict(2.0, recorded=1.6)

    said = capsys.readouterr().out
    assert "25% more than recorded" in said
    assert "--record" in said


def test_a_cost_is_recorded() -> None:
    """The guard has something to compare with: dearer than the bare inbox, and not by much."""
    assert 1 < guard.recorded() < 3
