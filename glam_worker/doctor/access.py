"""The check of what this user is allowed."""

from __future__ import annotations

from collections.abc import Iterator

from glam_worker.doctor.findings import Finding, error, info
from glam_worker.doctor.snapshot import Snapshot


def permissions(seen: Snapshot) -> Iterator[Finding]:
    """Denials look like silence to a worker, so each is named here."""
    denied, allowed = seen.tries.denied, seen.tries.allowed
    if denied and not _works(allowed):
        yield info(
            "this user",
            "may neither pull nor settle: it is no worker's",
            "what a worker may do was not tried",
            "run this once with the worker's credentials too",
        )
        return
    for subject, purpose in denied:
        yield error(
            "this user",
            f"may not publish to {subject}",
            f"a worker needs it to {purpose}, and would see no more than a timeout",
            "add it to the user's permissions: glam-worker permissions MODULE prints them all",
        )


def buckets(seen: Snapshot) -> Iterator[Finding]:
    """A bucket may be read where it cannot be written: other subjects are used for it."""
    for key in seen.tries.unheard:
        bucket = key.rpartition(".")[0].rpartition(".")[2]
        yield error(
            f"bucket {bucket}",
            f"cannot be written: nothing answers on {key}",
            "suspects, idempotent handlers and records of durables wait for it",
            "see that leaf nodes and account imports pass the subject on, and that setting "
            "js_domain is the domain of the streams",
        )


def _works(allowed: tuple[str, ...]) -> bool:
    """Whether a worker could be meant: it may pull, or settle."""
    return any(".CONSUMER.MSG.NEXT." in one or one.startswith("$JS.ACK.") for one in allowed)
