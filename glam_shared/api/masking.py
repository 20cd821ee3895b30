"""What may not be written down, made unreadable: pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

MASK = "***"

_HIDDEN_WORDS = (
    r"passw|passphrase|pwd|\bpass\b|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key"
    r"|authorization|credential|cookie|session|signature|hmac|\botp\b|pin[-_ ]?code|cvv|cvc"
    r"|card[-_ ]?number"
)
_SECRET_NAME = re.compile(_HIDDEN_WORDS, re.IGNORECASE)
# In text that is cut off or no JSON: a secret's name, a colon or equals sign, and all that can be
# its value. Rather too much is masked than too little.
_SECRET_IN_TEXT = re.compile(
    rf"""((?:{_HIDDEN_WORDS})[^"'=:\s]{{0,64}}["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[\[{{].*|[^,&\s}}]+)""",
    re.IGNORECASE | re.DOTALL,
)


def is_secret_name(name: str) -> bool:
    """Whether a header, field or parameter of this name may hold a secret."""
    return _SECRET_NAME.search(name) is not None


def mask_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as text; those named like a secret without their value."""
    shown: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1")
        value = MASK if is_secret_name(name) else raw_value.decode("latin-1")
        shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown


def mask_value(value: Any) -> Any:
    """*value* with every field that is named like a secret masked, however deep."""
    if isinstance(value, Mapping):
        return {
            key: MASK if is_secret_name(str(key)) else mask_value(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [mask_value(item) for item in value]
    return value


def mask_query(query: str) -> str:
    """A query or form body with the secrets masked."""
    pairs = parse_qsl(query, keep_blank_values=True)
    shown = [(name, MASK if is_secret_name(name) else value) for name, value in pairs]
    return urlencode(shown, safe="*", errors="replace")


def mask_body(body: bytes, content_type: str, *, total: int) -> Any:
    """What may be shown of *body*, the first bytes of *total*.

    JSON that is complete as data, other text as text, anything else as its size.
    """
    if not body:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return mask_query(body.decode("utf-8", "replace"))
    if not (kind.startswith("text/") or kind.endswith(("json", "xml")) or not kind):
        return f"<{total} bytes of {kind}>"
    return _mask_text(body, complete=len(body) == total, total=total)


def _mask_text(body: bytes, *, complete: bool, total: int) -> Any:
    text = body.decode("utf-8", "replace")
    if complete:
        try:
            return mask_value(json.loads(text))
        except (ValueError, RecursionError):
            pass
    masked = _SECRET_IN_TEXT.sub(rf"\1{MASK}", text)
    return masked if complete else f"{masked}… ({total} bytes)"
