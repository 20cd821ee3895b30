"""Everything that can be checked without a network."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glam_shared.errors import ConfigurationError, GlamBaseError
from glam_shared.messaging import Subjects
from glam_worker.cli.failing import each_of
from glam_worker.declare.filters import covers, is_wildcard
from glam_worker.declare.options import NAME
from glam_worker.declare.registry import Registry
from glam_worker.errors import DeclarationError, Problems, WorkerError
from glam_worker.loader import load, passed_over, service_of
from glam_worker.runtime.credits import budget_of
from glam_worker.settings import Settings
from glam_worker.topology.specs import EVENT_SUBJECTS


@dataclass(frozen=True, slots=True)
class Checked:
    """What modules declare, and what is to be said about it."""

    registry: Registry
    service: str
    warnings: tuple[str, ...]


def checked(modules: Sequence[str], settings: Settings) -> Checked:
    """Load the modules and check all they declare.

    Raises Problems with every mistake found, and what ``load`` raises.
    """
    registry = load(modules)
    service = settings.service or service_of(modules)
    problems = [*_name_problems(service), *_fit_problems(registry, settings)]
    if problems:
        raise Problems(problems)
    registry = registry.served_by(service)
    return Checked(registry, service, tuple(_warnings(registry, settings)))


def all_checked(modules: Sequence[str], service: str | None) -> tuple[Checked, Settings]:
    """Check the settings and the modules. Raises the mistakes of both together."""
    try:
        settings = Settings.load(service=service)
    except ConfigurationError as wrong:
        try:
            load(modules)
        except WorkerError as error:
            raise Problems([wrong, *each_of(error)]) from None
        raise
    return checked(modules, settings), settings


# --- mistakes ---


def _name_problems(service: str) -> Iterator[GlamBaseError]:
    if not NAME.fullmatch(service):
        yield ConfigurationError(
            f"the service's name {service!r}, from the first module, cannot be part of a durable's "
            "name; give one with --service or GLAM_SERVICE: 1 to 64 of A-Z a-z 0-9 _ -"
        )


def _fit_problems(registry: Registry, settings: Settings) -> Iterator[GlamBaseError]:
    """What each handler allows by itself, and all of them together do not."""
    handlers = registry.handlers
    try:
        budget_of(settings.max_in_flight, len(handlers))
    except ConfigurationError as error:
        yield error
    by_name = {handler.name: handler for handler in handlers}
    for handler in handlers:
        for name in set(handler.options.previously) & by_name.keys():
            yield DeclarationError(
                f"previously={name!r} names a handler that still exists, at "
                f"{by_name[name].where}; a handler takes over from one that is gone",
                where=handler.where,
            )


# --- warnings ---


def _warnings(registry: Registry, settings: Settings) -> Iterator[str]:
    yield from Settings.warnings()
    for handler in passed_over(registry):
        yield (
            f"handler {handler.name} ({handler.where}) was imported along the way and is not "
            f"worked; name its module {handler.module} to work it"
        )
    for handler in registry.handlers:
        meant = _catalogued_as(handler.subject)
        if meant:
            yield (
                f"handler {handler.name} ({handler.where}): the catalogue has no "
                f"{handler.subject}; did you mean {meant}?"
            )
        needed = handler.options.timeout + handler.options.ack_wait
        remembered = handler.options.remembered_for
        if remembered is not None and remembered < needed:
            yield (
                f"handler {handler.name} ({handler.where}): idempotent={remembered:g} s is shorter "
                f"than timeout and ack_wait together ({needed:g} s): a second message of an event "
                "may run while the first one does"
            )
        ours = any(covers(held, handler.subject) for held in EVENT_SUBJECTS)
        if handler.options.stream is None and not ours:
            yield (
                f"handler {handler.name} ({handler.where}): {settings.events_stream} would hold "
                f"{' and '.join(EVENT_SUBJECTS)}, not {handler.subject}; the server must have "
                "another stream for it"
            )


def _catalogued_as(subject: str) -> str | None:
    """The subject of the catalogue that this one most likely is meant to be."""
    known = [str(member) for member in Subjects]
    close = difflib.get_close_matches(subject, known, n=1, cutoff=0.9)
    return close[0] if close and close[0] != subject and not is_wildcard(subject) else None
