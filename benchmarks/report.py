"""Medians, their ratios, and the tables of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks.contenders import CONTENDERS, family
from benchmarks.scenario import Measured, Metric, Scenario

Rounds = dict[tuple[str, str], list[Measured]]
"""What each contender measured, round by round, by case and contender."""


def medians(rounds: Rounds, scenario: Scenario) -> dict[tuple[str, str], Measured]:
    """The median of each metric over the rounds."""
    return {
        key: {
            metric.key: statistics.median(measured[metric.key] for measured in results)
            for metric in scenario.metrics
        }
        for key, results in rounds.items()
        if results
    }


def table(scenario: Scenario, rounds: Rounds, baseline: str) -> str:
    """Lines for people: each median, in brackets how many times the baseline's it is.

    After the first case follows, where the metric asks for it, how many times the contender's own
    value of that case it is.
    """
    values = medians(rounds, scenario)
    rows = [["", *(metric.title for metric in scenario.metrics)]]
    first = scenario.cases[0].name
    for case in scenario.cases:
        if len(scenario.cases) > 1:
            rows.append([case.name, *("" for _ in scenario.metrics)])
        for (of, contender), measured in values.items():
            if of == case.name:
                own = values.get((first, contender)) if of != first else None
                base = values.get((case.name, baseline))
                cells = (_cell(metric, measured, base, own) for metric in scenario.metrics)
                rows.append([f"  {contender}", *cells])
    count = max((len(results) for results in rounds.values()), default=0)
    title = f"{scenario.name}: {scenario.title} (median of {count})"
    return "\n".join([title, *_aligned(rows), ""])


def _cell(metric: Metric, measured: Measured, base: Measured | None, own: Measured | None) -> str:
    value = measured[metric.key]
    text = f"{value:,.{metric.digits}f}"
    if metric.compared and base and base[metric.key]:
        text += f" ({value / base[metric.key]:.2f}x)"
    if metric.across and own and own[metric.key]:
        text += f" [{value / own[metric.key]:.2f}]"
    return text


def _aligned(rows: list[list[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()


def settings(names: Iterable[str]) -> list[str]:
    """Who was measured, with versions and settings."""
    families = {family(name) for name in names}
    return [str(contender) for contender in CONTENDERS if contender.name in families]


def document(results: dict[str, Rounds], scenarios: tuple[Scenario, ...]) -> dict[str, Any]:
    """The medians and every round, for programs."""
    body: dict[str, Any] = {}
    for scenario in scenarios:
        rounds = results.get(scenario.name, {})
        values = medians(rounds, scenario)
        cases: dict[str, Any] = {case.name: {} for case in scenario.cases}
        for key, measured in values.items():
            cases[key[0]][key[1]] = {"median": measured, "rounds": rounds[key]}
        body[scenario.name] = {"title": scenario.title, "cases": cases}
    return body
