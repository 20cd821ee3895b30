"""What the publishers of this process have done, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from glam_shared.messaging.publish_stats import PublishStats

_counted: list[PublishStats] = []


def count_publisher(stats: PublishStats) -> None:
    """Show *stats* from now on, also when their publisher has ended: a counter never goes down."""
    _counted.append(stats)


class PublishCollector(Collector):
    """Sums up all publishers when it is asked."""

    def collect(self) -> Iterator[CounterMetricFamily | SummaryMetricFamily]:
        """The families, from the start and at 0."""
        published = sum(stats.published for stats in _counted)
        failed = sum(stats.failed for stats in _counted)
        yield CounterMetricFamily(
            "glam_published", "Events that the broker has (PubAck).", value=published
        )
        yield CounterMetricFamily(
            "glam_publish_failures", "Events not known to be stored.", value=failed
        )
        yield CounterMetricFamily(
            "glam_publish_duplicates",
            "Events that the stream had already at the first try.",
            value=sum(stats.duplicates for stats in _counted),
        )
        yield SummaryMetricFamily(
            "glam_publish_duration_seconds",
            "Seconds spent on publishing, tries and waits included.",
            count_value=published + failed,
            sum_value=sum(stats.seconds for stats in _counted),
        )
