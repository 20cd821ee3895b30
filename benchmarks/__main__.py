"""The command line of `make bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

import uvloop

from benchmarks.bounds import BOUNDS
from benchmarks.contenders import NAMES
from benchmarks.report import Rounds, document, medians, table
from benchmarks.rig import BenchError
from benchmarks.scenario import Scenario
from benchmarks.scenarios import SCENARIOS

GUARDED = ("noop", "latency", "waiting")


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
    parser.add_argument("--guard", action="store_true", help="one round; exit 1 beyond a bound")
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
    for number in range(given.rounds or (1 if given.guard else scenario.rounds)):
        for contender in tuple(results):
            _say(f"{scenario.name}, round {number + 1}: {contender}")
            try:
                results[contender].append(await scenario.run(contender, given.scale))
            except BenchError as error:
                _say(f"{contender} is left out of {scenario.name}: {error}")
                del results[contender]
    return results


async def main(given: argparse.Namespace) -> int:
    """Measure, print, and judge if asked to."""
    wanted = given.only or (GUARDED if given.guard else None)
    scenarios = tuple(s for s in SCENARIOS if wanted is None or s.name in wanted)
    results = {}
    for scenario in scenarios:
        results[scenario.name] = await measure(scenario, given)
        if not given.json:
            if given.scale != 1:
                print(f"At {given.scale:g} of the size:")
            print(table(scenario, results[scenario.name], given.baseline), flush=True)
    if given.json:
        print(document(results, scenarios))
    return judge(results, scenarios) if given.guard else 0


def judge(results: dict[str, Rounds], scenarios: tuple[Scenario, ...]) -> int:
    """1 if a bound is broken or the worker was not measured, and says which."""
    broken = []
    for scenario in scenarios:
        values = medians(results[scenario.name], scenario)
        if "glam_worker" not in values:
            broken.append(f"{scenario.name}: glam_worker was not measured")
        bounds = (bound for bound in BOUNDS if bound.scenario == scenario.name)
        broken += [text for bound in bounds if (text := bound.broken(values))]
    for text in broken:
        _say(text)
    return 1 if broken else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(uvloop.run(main(arguments())))
