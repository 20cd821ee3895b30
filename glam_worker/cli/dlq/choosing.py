"""The options that say which letters are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glam_worker.operate.letter_filter import LetterFilter

Service = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of this service only. Default: of all.")
]
Handler = Annotated[str | None, typer.Option(metavar="NAME", help="Of this handler only.")]
Reason = Annotated[
    str | None,
    typer.Option(
        metavar="REASON", help="invalid, rejected, exhausted or crashed: letters of it only."
    ),
]
Subject = Annotated[
    str | None,
    typer.Option(metavar="SUBJECT", help="Of events on it only; 'evt.order.>' takes many."),
]
Error = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="With it in the error's type or message, in any case."),
]
OlderThan = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="Given up longer ago than this, such as 90s, 2h or 7d."),
]
Group = Annotated[
    str | None,
    typer.Option(metavar="GROUP", help="Of one group of `dlq list`; its first letters will do."),
]

Every = Annotated[bool, typer.Option("--all", help="Every dead letter there is.")]
Letters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LETTER]...",
        help="As `dlq list` shows them, such as GLAM_DLQ:17.",
        show_default=False,
    ),
]


def chosen_by(
    *,
    service: str | None = None,
    handler: str | None = None,
    reason: str | None = None,
    subject: str | None = None,
    error: str | None = None,
    older_than: str | None = None,
    group: str | None = None,
) -> LetterFilter:
    """The filter that options make. Raises UsageError for what no letter could have."""
    from glam_shared.messaging.dead_letter import REASONS  # noqa: PLC0415 - --help stays quick
    from glam_worker.cli.durations import read_duration  # noqa: PLC0415
    from glam_worker.errors import UsageError  # noqa: PLC0415
    from glam_worker.operate.letter_filter import LetterFilter  # noqa: PLC0415

    if reason is not None and reason not in REASONS:
        raise UsageError(f"--reason is {reason!r}; allowed: {', '.join(REASONS)}")
    _check_subject(subject)
    age = None if older_than is None else read_duration("--older-than", older_than)
    return LetterFilter(
        service=service,
        handler=handler,
        reason=reason,
        subject=subject,
        error=error,
        older_than=age,
        group=group.lower() if group else group,
    )


def _check_subject(subject: str | None) -> None:
    from glam_worker.declare.filters import check_filter  # noqa: PLC0415
    from glam_worker.errors import UsageError  # noqa: PLC0415

    if subject is None or subject == ">":
        return
    _, dot, rest = subject.partition(".")
    problem = check_filter(f"evt.{rest}") if dot else f"subject {subject!r} has one token only"
    if problem:
        raise UsageError(f"--subject {subject!r}: {problem}")
