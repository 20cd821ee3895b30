"""The tables for operators say what is measured, created and written."""

from __future__ import annotations

from glam_shared.messaging.dead_letter import DeadLetter as Letter
from glam_worker import Settings
from glam_worker.jetstream import levels, parked, turn
from glam_worker.observe.families import FAMILIES, PREFIX, Family
from glam_worker.topology import specs
from tests.docs.pages import DOCS, ROOT, first_words, table_of, words_of

PAGE = DOCS / "operating.md"
METRICS = DOCS / "metrics.md"
SECTIONS = ("## Events", "## Levels", "## Workers")


def _exposed(family: Family) -> str:
    ending = {"counter": "_total", "gauge": "", "histogram": ""}[family.kind]
    return f"{family.name}{'_info' if family.name == 'build' else ending}"


def test_every_metric_is_in_the_table_with_kind_and_labels() -> None:
    """The page lists the families of /metrics, as Prometheus shows them."""
    told = [
        (words_of(row[0])[0], row[1], " ".join(words_of(row[2])))
        for section in SECTIONS
        for row in table_of(METRICS, section)
    ]
    exposed = [(_exposed(one), one.kind, " ".join(one.labels)) for one in FAMILIES]

    assert sorted(exposed) == sorted(told)
    assert f"`{PREFIX}`" in METRICS.read_text()


def test_the_times_of_levels_are_those_of_the_code() -> None:
    """How old a level can be, and how soon another worker asks, is what the page says."""
    text = " ".join(METRICS.read_text().split())
    settings = Settings(_env_file=None)

    assert (
        f"every {levels.PERIOD:g} seconds (parked events: every {levels.PARKED_PERIOD:g})" in text
    )
    assert f"for {turn.LIFE:g} seconds at a time" in text
    assert f"tries again every {turn.WITHOUT:g} seconds" in text
    assert f"more than {parked.LATE.total_seconds():g} seconds past their time" in text
    assert f"Of more than {parked.KNOWN:,} parked events" in text
    assert f"`GLAM_DRAIN_TARGET` ({settings.drain_target:g} seconds)" in text


def test_every_stream_that_is_created_is_in_the_table_with_its_subjects() -> None:
    """The page lists what appears on a server."""
    settings = Settings(_env_file=None)
    made = [
        specs.events_stream(settings),
        specs.retry_stream(settings, 1, "file"),
        specs.dlq_stream(settings, 1, "file"),
        specs.bucket(specs.STATE, 0.0, settings, 1, "file"),
        specs.bucket(specs.LEDGER, specs.LEDGER_KEPT, settings, 1, "file"),
        specs.bucket(specs.CLAIMS, 60.0, settings, 1, "file"),
    ]
    told = [
        (words_of(row[0]), words_of(row[1]))
        for row in table_of(PAGE, "## What it creates on the server")
    ]

    assert [([spec.name], spec.config["subjects"]) for spec in made] == told


def test_the_limits_of_streams_are_those_in_the_table() -> None:
    """Ages, sizes and windows in the page are the ones that are set."""
    settings = Settings(_env_file=None)
    rows = {
        words_of(row[0])[0]: row[2] for row in table_of(PAGE, "## What it creates on the server")
    }
    events = specs.events_stream(settings).config
    retry = specs.retry_stream(settings, 1, "file").config
    letters = specs.dlq_stream(settings, 1, "file").config

    days, window = events["max_age"] / 86_400e9, events["duplicate_window"] / 60e9
    assert f"limits, {days:g} days, duplicate window {window:g} min" == rows["GLAM_EVENTS"]
    assert f"duplicate window {retry['duplicate_window'] / 60e9:g} min" in rows["GLAM_RETRY"]
    assert "no limits" in rows["GLAM_RETRY"]
    assert not retry.keys() & {"max_msgs", "max_bytes", "max_age"}
    assert (
        f"at most {letters['max_bytes'] >> 30} GiB, discard {letters['discard']}"
        in rows["GLAM_DLQ"]
    )


def test_every_header_of_a_letter_is_in_the_table() -> None:
    """The page explains whatever a letter always says."""
    told = first_words(PAGE, "## Dead letters")
    letter = Letter.from_message("dlq.a.b", dict.fromkeys(told, "1"), b"")
    silent = {"Glam-Format", "Glam-Stream-Created", "Glam-Stored-At", "Glam-Replays"}

    assert [] == [name for name in letter.to_headers() if name not in told and name not in silent]
    assert [] == [name for name in told if f'"{name}"' not in _headers_source()]


def _headers_source() -> str:
    return (ROOT / "glam_shared/messaging/headers.py").read_text()


def test_the_reasons_of_readiness_are_those_of_the_code() -> None:
    """Each fixed part of a reason in the table stands in the source."""
    told = first_words(PAGE, "## Probes")
    parts = [part.strip() for reason in told for part in reason.split("...") if part.strip()]
    packages = (ROOT / "glam_worker", ROOT / "glam_shared" / "messaging")
    sources = "\n".join(file.read_text() for one in packages for file in one.rglob("*.py"))

    assert len(told) > 6
    assert [] == [part for part in parts if part not in sources]
