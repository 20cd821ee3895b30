"""What only workers know: how long handlers take, and how often they fail. From ``/metrics``."""

from __future__ import annotations

import asyncio
import math
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from glam_worker.errors import NotThereError
from glam_worker.observe.families import PREFIX

_DURATION = f"{PREFIX}handler_duration_seconds"
_FAILURES = f"{PREFIX}failures"
_WITHIN = 2.0
_LARGEST = 16 << 20

Owner = tuple[str, str]
"""Service and handler."""


@dataclass(slots=True)
class Measured:
    """What workers have counted of one handler since they started, both ways together."""

    runs: float = 0.0
    seconds: float = 0.0
    failures: float = 0.0
    buckets: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    """By upper bound in seconds: runs that took no longer."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Between two looks."""

    mean: float
    """Seconds of a run."""
    most: float
    """Seconds that 95 of 100 runs did not exceed: the bound of a histogram's bucket."""
    failures: int


async def measured(urls: Iterable[str]) -> dict[Owner, Measured]:
    """Read the metrics of some workers, added up. Raises NotThereError, which names the address."""
    texts = await asyncio.gather(*(asyncio.to_thread(_read, url) for url in urls))
    return measured_in(texts)


def measured_in(texts: Iterable[str]) -> dict[Owner, Measured]:
    """The same of expositions."""
    found: dict[Owner, Measured] = defaultdict(Measured)
    for text in texts:
        for family in text_string_to_metric_families(text):
            if family.name in (_DURATION, _FAILURES):
                for sample in family.samples:
                    owner = sample.labels.get("service", ""), sample.labels.get("handler", "")
                    _add(found[owner], sample.name, sample.labels, sample.value)
    return dict(found)


def _add(measured: Measured, name: str, labels: dict[str, str], value: float) -> None:
    if name == f"{_DURATION}_count":
        measured.runs += value
    elif name == f"{_DURATION}_sum":
        measured.seconds += value
    elif name == f"{_DURATION}_bucket":
        measured.buckets[float(labels["le"])] += value
    elif name == f"{_FAILURES}_total":
        measured.failures += value


def latency(before: Measured, now: Measured) -> Latency | None:
    """What runs took between two looks; None if there were none, or a worker started anew."""
    runs = now.runs - before.runs
    if runs <= 0:
        return None
    bounds = sorted(now.buckets)
    most = next(
        (
            bound
            for bound in bounds
            if now.buckets[bound] - before.buckets.get(bound, 0.0) >= 0.95 * runs
        ),
        math.inf,
    )
    failures = max(0, int(now.failures - before.failures))
    return Latency(max(0.0, now.seconds - before.seconds) / runs, most, failures)


def _read(url: str) -> str:
    whole = url if "://" in url else f"http://{url}"
    if not whole.startswith(("http://", "https://")):
        raise NotThereError(f"{url!r} is no address of HTTP; write http://HOST:9464/metrics")
    try:
        with urllib.request.urlopen(whole, timeout=_WITHIN) as answer:  # noqa: S310 - checked above
            body: bytes = answer.read(_LARGEST)
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise NotThereError(
            f"no metrics at {whole}: {reason}; a worker has them at "
            "http://127.0.0.1:9464/metrics unless GLAM_HTTP_HOST and GLAM_HTTP_PORT say otherwise"
        ) from None
    return body.decode("utf-8", "replace")
