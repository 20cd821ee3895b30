"""Declarations in words. Pure."""

from __future__ import annotations

from itertools import groupby

from glam_shared.wording import seconds
from glam_worker.declare.retry import RetryPolicy

_SHOWN = 8


def retry_in_words(policy: RetryPolicy) -> str:
    """Attempts and delays: ``5 attempts: after 1 s, 4 s, 16 s and 64 s``."""
    if policy.attempts == 1:
        return "1 attempt, no retry"
    delays = [policy.delay(attempt) or 0.0 for attempt in range(1, min(policy.attempts, 1000))]
    groups = [(seconds(delay), len(list(same))) for delay, same in groupby(delays)]
    words = [text if times == 1 else f"{text} ({times} times)" for text, times in groups]
    if len(words) > _SHOWN:
        words = [*words[: _SHOWN - 1], "..."]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{policy.attempts} attempts: after {listed}"
