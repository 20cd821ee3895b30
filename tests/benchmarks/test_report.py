"""What `make bench` prints and keeps."""

from __future__ import annotations

import json
import os
import platform
import socket

from benchmarks import machine
from benchmarks.figures import rates
from benchmarks.job import Job
from benchmarks.report import Rounds, document, medians, settings, table
from benchmarks.rig import Fact
from benchmarks.scenario import Case, Measured, Metric, Scenario


async def _never(contender: str, job: Job) -> Measured:
    raise AssertionError(f"{contender} with {job} was not asked for")


SCENARIO = Scenario(
    name="speed",
    title="how fast",
    cases=(Case("plain", Job(1)), Case("loaded", Job(1))),
    contenders=("slow", "fast"),
    run=_never,
    metrics=(
        Metric("rate", "events/s", across=True),
        Metric("repeated", "run again", compared=False),
    ),
)
ROUNDS: Rounds = {
    ("plain", "slow"): [
        {"rate": 900.0, "repeated": 0},
        {"rate": 1000.0, "repeated": 0},
        {"rate": 5000.0, "repeated": 2},
    ],
    ("plain", "fast"): [{"rate": 3000.0, "repeated": 0}],
    ("loaded", "slow"): [{"rate": 500.0, "repeated": 0}],
    ("loaded", "fast"): [{"rate": 2700.0, "repeated": 1}],
}


def test_medians_ignore_a_disturbed_round() -> None:
    """One round out of line does not move a contender's figure."""
    assert medians(ROUNDS, SCENARIO)["plain", "slow"] == {"rate": 1000.0, "repeated": 0}


def test_the_table_shows_ratios_to_the_baseline_and_to_the_first_case() -> None:
    """In round brackets stands the baseline's part, in square ones that of the first case."""
    lines = [line.split() for line in table(SCENARIO, ROUNDS, baseline="slow").splitlines()]

    assert lines[2] == ["plain"]
    assert lines[3] == ["slow", "1,000", "(1.00x)", "0"]
    assert lines[4] == ["fast", "3,000", "(3.00x)", "0"]
    assert lines[7] == ["fast", "2,700", "(5.40x)", "[0.90]", "1"]


def test_the_document_holds_the_medians_and_every_round() -> None:
    """It can be read by a program, and nothing measured is left out."""
    body = json.loads(json.dumps(document({"speed": ROUNDS}, (SCENARIO,))))
    plain = body["speed"]["cases"]["plain"]

    assert plain["fast"]["median"]["rate"] == 3000
    assert [measured["rate"] for measured in plain["slow"]["rounds"]] == [900, 1000, 5000]


def test_settings_and_versions_of_who_was_measured_are_said() -> None:
    """A variant is said by its family, and no other contender is mentioned."""
    (said,) = settings(["fetch_loop:2"])

    assert said.startswith("fetch_loop (nats-py 2.")


def test_the_machine_is_described_and_not_named() -> None:
    """Kept results say what measured, and not where."""
    found = machine.description()

    assert found["cores"] == os.cpu_count()
    assert platform.python_version() in found["python"]
    assert found["nats_server"].startswith("v2.")
    assert socket.gethostname() not in json.dumps(found)


def _noted(*marks: tuple[int, int, int, int]) -> Fact:
    return {"marks": marks, "peak": 2**20}


def test_rates_count_only_while_all_processes_were_at_work() -> None:
    """Who started late or ended early does not dilute the rate: it is that of the shared time."""
    early = _noted((0, 0, 0, 0), (int(2e9), 200_000, 200, 0))
    late = _noted((int(1e9), 0, 0, 0), (int(3e9), 400_000, 400, 0))

    measured = rates([early, late])

    assert measured["seconds"] == 1
    assert measured["events_per_second"] == 100 + 200
    assert measured["cpu_us_per_event"] == 1
    assert measured["peak_mib"] == 2
