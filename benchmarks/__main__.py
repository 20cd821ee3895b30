"""The command line of `make bench`."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import machine
from benchmarks.contenders import NAMES, family
from benchmarks.guard import guard
from benchmarks.report import Rounds, document, settings, table
from benchmarks.rig import BenchError
from benchmarks.scenario import Scenario
from benchmarks.scenarios import SCENARIOS

RESULTS = Path(__file__).with_name("results")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What the worker costs beside other consumers, on this machine.",
    )
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--list", action="store_true", help="name the scenarios and contenders")
    parser.add_argument("--only", type=_list_of(names), help="scenarios, separated by commas")
    parser.add_argument("--contenders", type=_list_of(NAMES), help="the same for contenders")
    parser.add_argument("--baseline", help="what is 1.00x; each scenario has one of its own")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the events")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--keep", metavar="NAME", help="write benchmarks/results/DATE-NAME.json")
    parser.add_argument("--guard", action="store_true", help="exit 1 if an event costs more")
    parser.add_argument("--record", action="store_true", help="an event may cost what it does now")
    return parser.parse_args()


def _list_of(allowed: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    known = tuple(allowed)

    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{unknown} not among {', '.join(known)}")
        return chosen

    return names


async def measure(scenario: Scenario, given: argparse.Namespace) -> Rounds:
    """Contenders in turn, round after round; one that cannot run is named and left out."""
    chosen = [
        n for n in scenario.contenders if not given.contenders or family(n) in given.contenders
    ]
    jobs = {case.name: case.job.scaled(given.scale) for case in scenario.cases}
    results: Rounds = {(case, contender): [] for case in jobs for contender in chosen}
    for number in range(given.rounds or scenario.rounds):
        for case, contender in tuple(results):
            _say(f"{scenario.name}, round {number + 1}: {case}, {contender}")
            try:
                results[case, contender].append(await scenario.run(contender, jobs[case]))
            except BenchError as error:
                _say(f"{contender} is left out of {scenario.name}, {case}: {error}")
                del results[case, contender]
    return results


async def compare(given: argparse.Namespace) -> int:
    """Measure, print, and keep if asked to."""
    scenarios = tuple(s for s in SCENARIOS if not given.only or s.name in given.only)
    results = {}
    for scenario in scenarios:
        results[scenario.name] = await measure(scenario, given)
        if not given.json:
            print(table(scenario, results[scenario.name], given.baseline or scenario.baseline))
            sys.stdout.flush()
    who = settings(contender for rounds in results.values() for _, contender in rounds)
    body = {
        "machine": machine.description(),
        "scale": given.scale,
        "contenders": who,
        "scenarios": document(results, scenarios),
    }
    print(json.dumps(body, indent=2) if given.json else "\n".join(who))
    if given.keep:
        _say(f"kept in {_kept(body, given.keep)}")
    return 0


def _kept(body: dict[str, Any], name: str) -> str:
    RESULTS.mkdir(exist_ok=True)
    today = datetime.datetime.now(datetime.UTC).date()
    file = RESULTS / f"{today}-{name}.json"
    file.write_text(json.dumps(body, indent=1) + "\n")
    return f"benchmarks/results/{file.name}"


def listing() -> str:
    """Scenarios, their cases and contenders."""
    lines = []
    for scenario in SCENARIOS:
        lines += [f"{scenario.name}: {scenario.title}", f"  {', '.join(scenario.contenders)}"]
        if len(scenario.cases) > 1:
            lines.append(f"  cases: {'; '.join(case.name for case in scenario.cases)}")
    return "\n".join([*lines, "", *settings(NAMES)])


async def main(given: argparse.Namespace) -> int:
    """Do what is asked; the exit code."""
    if given.list:
        print(listing())
        return 0
    if given.guard or given.record:
        return await guard(record=given.record)
    return await compare(given)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(uvloop.run(main(arguments())))
