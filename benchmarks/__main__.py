"""The command line of `make bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

import uvloop

from benchmarks.contenders import NAMES
from benchmarks.guard import guard
from benchmarks.report import Rounds, document, table
from benchmarks.rig import BenchError
from benchmarks.scenario import Scenario
from benchmarks.scenarios import SCENARIOS


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", type=_list_of(names), help="scenarios, separated by commas")
    parser.add_argument("--contenders", type=_list_of(NAMES), help="the same for contenders")
    parser.add_argument("--baseline", choices=NAMES, default="fetch_loop", help="what is 1.00x")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the events")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
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
    chosen = [c for c in scenario.contenders if not given.contenders or c in given.contenders]
    results: Rounds = {contender: [] for contender in chosen}
    for number in range(given.rounds or scenario.rounds):
        for contender in tuple(results):
            _say(f"{scenario.name}, round {number + 1}: {contender}")
            try:
                results[contender].append(await scenario.run(contender, given.scale))
            except BenchError as error:
                _say(f"{contender} is left out of {scenario.name}: {error}")
                del results[contender]
    return results


async def main(given: argparse.Namespace) -> int:
    """Measure and print, or judge; the exit code."""
    if given.guard or given.record:
        return await guard(record=given.record)
    scenarios = tuple(s for s in SCENARIOS if given.only is None or s.name in given.only)
    results = {}
    for scenario in scenarios:
        results[scenario.name] = await measure(scenario, given)
        if not given.json:
            if given.scale != 1:
                print(f"At {given.scale:g} of the size:")
            print(table(scenario, results[scenario.name], given.baseline), flush=True)
    if given.json:
        print(document(results, scenarios))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(uvloop.run(main(arguments())))
