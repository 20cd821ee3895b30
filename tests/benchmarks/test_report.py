"""What `make bench` prints."""

from __future__ import annotations

import json

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
