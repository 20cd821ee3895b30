"""Medians, their ratios, and the table of them."""

from __future__ import annotations

import json
import statistics
from typing import Any

from benchmarks.scenario import Measured, Metric, Scenario

Rounds = dict[str, list[Measured]]
"""What each contender measured, round by round."""


def medians(rounds: Rounds, scenario: Scenario) -> dict[str, Measured]:
    """The median of each metric over the rounds."""
    return {
        contender: {
            metric.key: statistics.median(measured[metric.key] for measured in results)
            for metric in scenario.metrics
        }
        for contender, results in rounds.items()
    }


def table(scenario: Scenario, rounds: Rounds, baseline: str) -> str:
    """Lines for people: each median, and in brackets how many times the baseline's it is."""
    values = medians(rounds, scenario)
    base = values.get(baseline)
    rows = [["", *(metric.title for metric in scenario.metrics)]]
    for contender, measured in values.items():
        rows.append([contender, *(_cell(metric, measured, base) for metric in scenario.metrics)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(_aligned(row, widths)).rstrip() for row in rows)
    count = len(next(iter(rounds.values()), []))
    return "\n".join([f"{scenario.name}: {scenario.title} (median of {count})", *lines, ""])


def _cell(metric: Metric, measured: Measured, base: Measured | None) -> str:
    value = measured[metric.key]
    text = f"{value:,.{metric.digits}f}"
    if not (metric.compared and base and base[metric.key]):
        return text
    return f"{text} ({value / base[metric.key]:.2f}x)"


def _aligned(row: list[str], widths: list[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def document(results: dict[str, Rounds], scenarios: tuple[Scenario, ...]) -> str:
    """One JSON document: the medians and every round."""
    body: dict[str, Any] = {}
    for scenario in scenarios:
        rounds = results.get(scenario.name, {})
        body[scenario.name] = {"medians": medians(rounds, scenario), "rounds": rounds}
    return json.dumps(body, indent=2)
