"""Several processes' expositions become one: each series is joined as its family says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from glam_worker.observe.families import FAMILIES, PREFIX, Join

_COUNTED = ("counter", "histogram")

_JOINS: dict[str, Join] = {
    **{PREFIX + family.name: family.join for family in FAMILIES},
    "process_start_time_seconds": "min",
    "process_max_fds": "min",
}
"""What is not here is summed, the processes' CPU time and memory among it."""

_JOINING: dict[Join, Callable[[float, float], float]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
}


@dataclass(slots=True)
class _Joined:
    kind: str
    help: str
    values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)

    def add(self, family: Metric) -> None:
        name = family.name.removesuffix("_info")
        join: Join = "sum" if self.kind in _COUNTED else _JOINS.get(name, "sum")
        for sample in family.samples:
            key = sample.name, tuple(sample.labels.items())
            known = self.values.get(key)
            value = sample.value if known is None else _JOINING[join](known, sample.value)
            self.values[key] = value

    def metric(self, name: str) -> Metric:
        metric = Metric(name, self.help, self.kind)
        for (sample, labels), value in self.values.items():
            metric.add_sample(sample, dict(labels), value)
        return metric


class Merged(Collector):
    """Takes expositions, and is their sum: counters and histograms are added up, gauges are joined
    as ``families`` says. Every family of a worker is listed from the start."""

    def __init__(self) -> None:
        self._families: dict[str, _Joined] = {}
        for family in FAMILIES:
            info = family.name == "build"
            name = f"{PREFIX}{family.name}{'_info' if info else ''}"
            self._families[name] = _Joined(family.kind, family.help)

    def add(self, exposition: str) -> None:
        """A process that lives."""
        self._add(text_string_to_metric_families(exposition))

    def add_past(self, exposition: str) -> None:
        """A process that is gone: what it counted stays, what it held does not."""
        families = text_string_to_metric_families(exposition)
        self._add(family for family in families if family.type in _COUNTED)

    def _add(self, families: Iterable[Metric]) -> None:
        for family in families:
            new = _Joined(family.type, family.documentation)
            self._families.setdefault(family.name, new).add(family)

    def collect(self) -> Iterator[Metric]:
        """The families, joined."""
        for name, joined in self._families.items():
            yield joined.metric(name)

    def text(self) -> bytes:
        """As an exposition."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)
