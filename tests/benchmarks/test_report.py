"""What `make bench` prints and `make bench-guard` judges."""

from __future__ import annotations

import json

import pytest

from benchmarks.bounds import Bound
from benchmarks.report import document, medians, table
from benchmarks.scenario import Measured, Metric, Scenario


async def _never(contender: str, scale: float) -> Measured:
    raise AssertionError(f"{contender} at {scale} was not asked for")


SCENARIO = Scenario(
    name="speed",
    title="how fast",
    metrics=(Metric("rate", "events/s"), Metric("repeated", "run again", compared=False)),
    contenders=("slow", "fast"),
    run=_never,
)
ROUNDS = {
    "slow": [
        {"rate": 900.0, "repeated": 0},
        {"rate": 1000.0, "repeated": 0},
        {"rate": 5000.0, "repeated": 2},
    ],
    "fast": [{"rate": 3000.0, "repeated": 0}],
}


def test_medians_ignore_a_disturbed_round() -> None:
    """One round out of line does not move a contender's figure."""
    assert medians(ROUNDS, SCENARIO)["slow"] == {"rate": 1000.0, "repeated": 0}


def test_the_table_shows_ratios_to_the_baseline() -> None:
    """A compared metric says how many times the baseline's it is; another is only a number."""
    lines = table(SCENARIO, ROUNDS, baseline="slow").splitlines()

    assert lines[2].split() == ["slow", "1,000", "(1.00x)", "0"]
    assert lines[3].split() == ["fast", "3,000", "(3.00x)", "0"]


def test_json_holds_the_medians_and_every_round() -> None:
    """The document can be read by a program, and nothing measured is left out."""
    speed = json.loads(document({"speed": ROUNDS}, (SCENARIO,)))["speed"]

    assert speed["medians"]["fast"]["rate"] == 3000
    assert [measured["rate"] for measured in speed["rounds"]["slow"]] == [900, 1000, 5000]


@pytest.mark.parametrize(
    ("bound", "complaint"),
    [
        (Bound("s", "rate", least=3000), None),
        (Bound("s", "rate", most=2999), "s: rate is 3000.00; wanted: at most 2999"),
        (Bound("s", "rate", least=3, beside="slow"), None),
        (
            Bound("s", "rate", least=4, beside="slow"),
            "s: rate is 3.00 times that of slow; wanted: at least 4",
        ),
        (Bound("s", "rate", least=4, beside="absent"), None),
    ],
)
def test_a_broken_bound_names_what_was_found_and_wanted(
    bound: Bound, complaint: str | None
) -> None:
    """A bound is the worker's figure in itself or beside another contender's."""
    values = {"glam_worker": {"rate": 3000.0}, "slow": {"rate": 1000.0}}

    assert bound.broken(values) == complaint
