"""The worker's numbers, collected when Prometheus asks and not before."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, TypeAlias, get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from glam_shared.messaging.letter_parts import Reason
from glam_worker.observe.facts import Observers
from glam_worker.observe.families import FAMILIES, PREFIX, Family
from glam_worker.observe.records import WayRecord

Sample: TypeAlias = tuple[str, tuple[str, ...], Any]
"""Family, label values, value."""

_REASONS: tuple[Reason, ...] = get_args(Reason)
"""Told from the start: Prometheus sees no increase in a series that begins at one."""


class WorkerCollector(Collector):
    """Turns the records of ways, and what ``gauges`` yields, into metric families."""

    def __init__(self, observers: Observers, gauges: Any) -> None:
        self._observers = observers
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Every family, with or without samples."""
        by_family: dict[str, list[Sample]] = {}
        for sample in (*self._recorded(), *self._gauges(), self._build()):
            by_family.setdefault(sample[0], []).append(sample)
        for family in FAMILIES:
            yield _family(family, by_family.get(family.name, []))

    def _recorded(self) -> Iterator[Sample]:
        for labels, record in list(self._observers.records.items()):
            yield from _of_way(labels, record)

    def _build(self) -> Sample:
        labels = (self._observers.service, version("glam-worker"), platform.python_version())
        return "build", labels, 1


def _of_way(labels: tuple[str, str, str], record: WayRecord) -> Iterator[Sample]:
    yield "messages_received", labels, record.received_count
    yield "messages_settled", (*labels, "ack"), record.ack_count
    for outcome in ("parked", "dead_letter", "handed_back", "duplicate"):
        yield "messages_settled", (*labels, outcome), record.settlements[outcome]
    yield "handler_duration_seconds", labels, record.duration
    yield "queue_time_seconds", labels, record.queue
    yield "event_age_seconds", labels, record.age
    for error, count in list(record.failures.items()):
        yield "failures", (*labels, error), count
    for reason in _REASONS:
        yield "dead_letters", (*labels[:2], reason), record.dead_letters[reason]
    yield "settlements_refused", labels, record.refusals
    yield "lease_renewals", labels, record.renewals
    yield "lease_lost", labels, record.lapses
    if labels[2] == "main":
        for state in ("in_hand", "waiting"):
            yield "dropped_by_stream", (*labels[:2], state), record.drops[state]
    yield "redelivered", labels, record.redelivered


def _family(family: Family, samples: Iterable[Sample]) -> Metric:
    name = PREFIX + family.name
    if family.name == "build":
        return _info(family, InfoMetricFamily(name, family.help, labels=[]), samples)
    if family.kind == "histogram":
        return _histograms(HistogramMetricFamily(name, family.help, labels=family.labels), samples)
    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    plain = make(name, family.help, labels=family.labels)
    for labels, value in _summed(samples).items():
        plain.add_metric(labels, value)
    return plain


def _info(family: Family, info: InfoMetricFamily, samples: Iterable[Sample]) -> Metric:
    for _, labels, _ in samples:
        info.add_metric([], dict(zip(family.labels, labels, strict=True)))
    return info


def _histograms(metric: HistogramMetricFamily, samples: Iterable[Sample]) -> Metric:
    for _, labels, value in samples:
        metric.add_metric(labels, value.buckets(), sum_value=value.total)
    return metric


def _summed(samples: Iterable[Sample]) -> dict[tuple[str, ...], float]:
    """Two ways may share a series that has no way in its labels."""
    values: dict[tuple[str, ...], float] = {}
    for _, labels, value in samples:
        values[labels] = values.get(labels, 0.0) + value
    return values


def metrics_registry(collector: Collector) -> CollectorRegistry:
    """The worker's families beside those of the process itself."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)
    return registry
