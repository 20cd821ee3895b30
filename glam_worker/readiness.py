"""Why not every event of a handler is worked, in words."""

from __future__ import annotations

from collections.abc import Iterator

from glam_worker.assembly import HandlerWork
from glam_worker.jetstream.pull_state import PullState


def troubles(work: HandlerWork) -> list[str]:
    """What keeps a handler's events from being worked; empty where nothing does."""
    return list(filter(None, _troubles(work)))


def beginnings(work: HandlerWork) -> list[str]:
    """Consumers that are about to be pulled."""
    return [
        f"consumer {source.consumer.durable} is not pulled yet"
        for source in work.sources
        if source.state is PullState.CONNECTING
    ]


def _troubles(work: HandlerWork) -> Iterator[str | None]:
    yield from work.problems.values()
    yield _strays(work)
    yield _hung(work)
    yield work.pipeline.suspects.problem
    yield _crowded(work)
    yield None if work.claims is None else work.claims.problem
    for source in work.sources:
        if source.state is not PullState.QUIET:
            yield source.reason


def _strays(work: HandlerWork) -> str | None:
    """It was given what its durables should not give."""
    problem = work.pipeline.strays.problem
    if problem is None:
        return None
    return (
        f"handler {work.handler.name} was given {problem}: a durable of it was changed; see "
        "`glam-worker plan`"
    )


def _hung(work: HandlerWork) -> str | None:
    """No slot is left that could take an event."""
    slots = work.pipeline.concurrency
    if work.pipeline.overstays < slots:
        return None
    return (
        f"every slot of handler {work.handler.name} ({slots}) is held by a run that goes on past "
        f"its timeout of {work.handler.options.timeout:g} s: it works nothing until one ends; "
        "restart the worker if none does"
    )


def _crowded(work: HandlerWork) -> str | None:
    """A suspect is never alone."""
    if not work.pipeline.suspects.crowded:
        return None
    return (
        f"an event of handler {work.handler.name} that may have killed a worker is to run alone, "
        "and another run goes on past its timeout: it waits until that ends; restart the worker "
        "if it does not"
    )
