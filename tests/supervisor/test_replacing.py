"""When a child is dead, and how long its place stays empty."""

from __future__ import annotations

import pytest

from glam_worker.supervisor.backoff import Backoff
from glam_worker.supervisor.channel import Answer
from glam_worker.supervisor.patience import (
    SILENT_LOOKS,
    STARTING_SILENT_LOOKS,
    UNHEALTHY_LOOKS,
    Patience,
)

STARTING = Answer()
WELL = Answer(started=True)
ILL = Answer(started=True, unhealthy=["the event loop stands"])
SILENT = None


def test_places_stay_empty_longer_after_each_early_death() -> None:
    """
    0.5 s, then twice as long each time, never more than 5 s.
    """
    backoff = Backoff()

    assert [backoff.after(1.0) for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_long_life_resets_the_back_off() -> None:
    """
    After 30 s of life the next death costs 0.5 s again, and the one after it 1 s.
    """
    backoff = Backoff()
    for _ in range(5):
        backoff.after(29.9)

    assert [backoff.after(lived) for lived in (30.0, 0.1, 0.1)] == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("before", "looks", "needed"),
    [
        ([WELL], SILENT, SILENT_LOOKS),
        ([STARTING], SILENT, STARTING_SILENT_LOOKS),
        ([], SILENT, STARTING_SILENT_LOOKS),
        ([WELL], ILL, UNHEALTHY_LOOKS),
        ([WELL, *[SILENT] * (SILENT_LOOKS - 1), WELL], SILENT, SILENT_LOOKS),
        ([WELL, *[ILL] * (UNHEALTHY_LOOKS - 1), WELL], ILL, UNHEALTHY_LOOKS),
    ],
    ids=[
        "silent",
        "silent while it starts",
        "silent from the start",
        "unhealthy",
        "silence was interrupted",
        "illness was interrupted",
    ],
)
def test_bad_looks_in_a_row_make_a_child_hung(
    before: list[Answer | None], looks: Answer | None, needed: int
) -> None:
    """
    A child is lost at the last of so many bad looks in a row, and not before.
    """
    patience = Patience()
    assert [patience.lost(answer) for answer in before] == [None] * len(before)

    verdicts = [patience.lost(looks) for _ in range(needed)]

    assert verdicts[:-1] == [None] * (needed - 1)
    assert verdicts[-1] is not None


def test_a_start_may_take_as_long_as_it_likes() -> None:
    """
    A child that answers while it starts is never lost.
    """
    patience = Patience()

    assert {patience.lost(STARTING) for _ in range(10_000)} == {None}
