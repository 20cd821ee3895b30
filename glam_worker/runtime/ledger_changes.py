"""What the beginning and the end of a suspect's run change in the ledger. Pure."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from glam_worker.declare.retry import HandBack, Park, Settlement
from glam_worker.runtime.ledger import Change, Record, Start, forgotten


def begun(start: Start, record: Record) -> Record:
    """A run begins."""
    return record.begun(start)


def ended(start: Start, record: Record) -> Record:
    """It ended, or did not begin after all."""
    return record.ended(start)


def after(settlement: Settlement, start: Start) -> Change:
    """What a run that ended leaves in the ledger: of one that was cut short, what was before."""
    match settlement:
        case HandBack():
            return partial(ended, start)
        case Park():
            return _without_starts
    return forgotten


def _without_starts(record: Record) -> Record:
    return replace(record, starts=())
