"""What is measured, of whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Measured = dict[str, float]
"""Values by the keys of the scenario's metrics."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of the report."""

    key: str
    title: str
    digits: int = 0
    compared: bool = True
    """Whether the ratio to the baseline is shown."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question about contenders."""

    name: str
    title: str
    metrics: tuple[Metric, ...]
    contenders: tuple[str, ...]
    run: Callable[[str, float], Awaitable[Measured]]
    """Takes a contender and a scale: 1.0 is the full size, less is for a quick look."""
    rounds: int = 3
    """Rounds unless the command line says otherwise."""
