"""The page of the doctor's findings is that of the checks."""

from __future__ import annotations

from collections import defaultdict

from glam_worker.doctor.checks import CHECKS, name_of
from tests.docs.pages import DOCS, table_of, words_of
from tests.doctor.rows_of_durables import OF_DURABLES
from tests.doctor.rows_of_streams import OF_STREAMS

PAGE = DOCS / "doctor.md"
HEADINGS = (
    "## The server and the account",
    "## Streams",
    "## Retries and lanes",
    "## Dead letters",
    "## Durables",
)


def _told() -> dict[str, set[str]]:
    """The severities that each check has on the page."""
    told: dict[str, set[str]] = defaultdict(set)
    check = ""
    for heading in HEADINGS:
        for row in table_of(PAGE, heading):
            check = next(iter(words_of(row[0])), check)
            told[check] |= set(row[1].split(", "))
    return told


def test_every_check_is_on_the_page_in_its_order() -> None:
    """Whoever reads a finding finds its name, and what to do."""
    assert list(_told()) == [name_of(check) for check in CHECKS]


def test_the_severities_are_those_that_the_checks_give() -> None:
    """The page neither plays down nor cries wolf."""
    given: dict[str, set[str]] = defaultdict(set)
    for row in (*OF_STREAMS, *OF_DURABLES):
        if row.severity is not None:
            given[row.check].add(str(row.severity))
    assert _told() == given
