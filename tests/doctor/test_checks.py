"""What each check finds in a snapshot, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glam_worker.doctor.checks import CHECKS, examine, name_of
from glam_worker.doctor.findings import Finding
from glam_worker.doctor.snapshot import Letters, Snapshot
from tests.doctor.row import E, N, Row, W
from tests.doctor.rows_of_durables import OF_DURABLES
from tests.doctor.rows_of_streams import OF_STREAMS
from tests.doctor.seen import HEALTHY, NS, with_main

ROWS = [*OF_STREAMS, *OF_DURABLES]


def of(check: str, seen: Snapshot) -> list[Finding]:
    """What a check finds."""
    return [one for one in examine(seen) if one.check == check]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.said or 'nothing'}")
def test_what_a_check_finds(row: Row) -> None:
    """Each kind of trouble is found with its severity, and what is no trouble is not."""
    found = of(row.check, row.seen)
    if row.severity is None:
        assert found == []
        return
    assert row.severity in [one.severity for one in found]
    texts = [f"{one.thing} {one.found}; {one.reason}; {one.remedy}" for one in found]
    assert any(row.said in text for text in texts), texts


def test_a_healthy_set_up_has_no_finding() -> None:
    """Streams and durables as the worker creates them, on a server that syncs, are all right."""
    assert examine(HEALTHY) == []


def test_every_check_has_a_row_that_it_finds() -> None:
    """A check that is in the list and in no row of this table is not tested."""
    found = {row.check for row in ROWS if row.severity is not None}
    assert found == {name_of(check) for check in CHECKS}


def test_every_finding_says_what_why_and_what_to_do() -> None:
    """No finding leaves one of its parts empty, and none breaks a line."""
    for row in ROWS:
        for one in examine(row.seen):
            parts = (one.thing, one.found, one.reason, one.remedy, one.check)
            assert all(parts)
            assert not any("\n" in part for part in parts)


def test_the_worst_comes_first() -> None:
    """Errors stand before warnings, and these before what is good to know."""
    seen = replace(with_main(max_deliver=5, ack_wait=NS), letters=Letters(1, 1.0))
    assert [one.severity for one in examine(seen)] == [E, W, N]


def test_an_empty_server_is_no_trouble() -> None:
    """Before the first worker there is nothing that could lose events."""
    found = examine(Snapshot(version="2.15.1"))
    assert {one.severity for one in found} == {N}
