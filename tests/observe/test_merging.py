"""Several expositions become one."""

from __future__ import annotations

import math

from prometheus_client.parser import text_string_to_metric_families

from glam_worker.observe.families import FAMILIES, PREFIX
from glam_worker.observe.merging import Merged

LABELS = '{service="shop",handler="ship",way="main"}'


def _exposition(settled: int, pending: int, alive: int, seconds: float) -> str:
    return f"""\
# TYPE glam_worker_messages_received_total counter
glam_worker_messages_received_total{LABELS} {settled}
# TYPE glam_worker_queue_time_seconds histogram
glam_worker_queue_time_seconds_bucket{{service="shop",handler="ship",way="main",le="0.1"}} 1
glam_worker_queue_time_seconds_bucket{{service="shop",handler="ship",way="main",le="+Inf"}} 3
glam_worker_queue_time_seconds_count{LABELS} 3
glam_worker_queue_time_seconds_sum{LABELS} {seconds}
# TYPE glam_worker_in_flight_bytes gauge
glam_worker_in_flight_bytes{LABELS} 100
# TYPE glam_worker_consumer_pending gauge
glam_worker_consumer_pending{LABELS} {pending}
# TYPE glam_worker_pull_loop_alive gauge
glam_worker_pull_loop_alive{LABELS} {alive}
# TYPE glam_worker_build_info gauge
glam_worker_build_info{{service="shop",version="1"}} 1
# TYPE process_start_time_seconds gauge
process_start_time_seconds {1000 + settled}
"""


def _values(merged: Merged) -> dict[str, float]:
    families = text_string_to_metric_families(merged.text().decode())
    return {
        sample.name + sample.labels.get("le", ""): sample.value
        for family in families
        for sample in family.samples
    }


def test_each_series_is_joined_as_its_family_says() -> None:
    """
    Counters, histograms and what processes hold are summed; the same thing seen twice is not.
    """
    merged = Merged()
    merged.add(_exposition(5, pending=7, alive=1, seconds=0.5))
    merged.add(_exposition(6, pending=9, alive=0, seconds=0.25))

    assert _values(merged) == {
        "glam_worker_messages_received_total": 11,
        "glam_worker_queue_time_seconds_bucket0.1": 2,
        "glam_worker_queue_time_seconds_bucket+Inf": 6,
        "glam_worker_queue_time_seconds_count": 6,
        "glam_worker_queue_time_seconds_sum": 0.75,
        "glam_worker_in_flight_bytes": 200,
        "glam_worker_consumer_pending": 9,
        "glam_worker_pull_loop_alive": 0,
        "glam_worker_build_info": 1,
        "process_start_time_seconds": 1005,
    }


def test_of_a_process_that_is_gone_the_counts_stay() -> None:
    """
    Counters and histograms of the dead are in the sums; what they held is not.
    """
    merged = Merged()
    merged.add_past(_exposition(5, pending=7, alive=0, seconds=0.5))
    merged.add(_exposition(6, pending=3, alive=1, seconds=0.25))

    values = _values(merged)

    assert values["glam_worker_messages_received_total"] == 11
    assert values["glam_worker_queue_time_seconds_count"] == 6
    assert values["glam_worker_consumer_pending"] == 3
    assert values["glam_worker_in_flight_bytes"] == 100
    assert values["glam_worker_pull_loop_alive"] == 1


def test_what_was_merged_can_be_merged_again() -> None:
    """
    The text of the past is an exposition: nothing in it changes on the way.
    """
    once = Merged()
    once.add(_exposition(5, pending=7, alive=1, seconds=0.5))

    twice = Merged()
    twice.add(once.text().decode())

    assert twice.text() == once.text()


def test_every_family_is_listed_from_the_start() -> None:
    """
    Without any process every family of a worker has its type and help.
    """
    listed = {family.name for family in text_string_to_metric_families(Merged().text().decode())}

    info = {"build": "build_info"}
    assert listed == {PREFIX + info.get(family.name, family.name) for family in FAMILIES}


def test_label_values_and_numbers_survive() -> None:
    """
    Quotes, line ends and foreign letters in labels, infinity and NaN are passed on.
    """
    label = r'{error_type="a\"b\nc\\é"}'
    text = f'# TYPE odd gauge\nodd{label} +Inf\nodd{{error_type="n"}} NaN\n'
    merged = Merged()
    merged.add(text)

    assert f"odd{label} +Inf" in merged.text().decode()
    assert math.isnan(_values(merged)["odd"])
