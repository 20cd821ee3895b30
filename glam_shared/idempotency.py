"""Keys that name one operation on one thing, whoever computes them."""

from __future__ import annotations

from uuid import UUID

__all__ = ["generate_idempotency_key"]


def generate_idempotency_key(
    system: str, operation_type: str, identifier: str | int | UUID, extra: str | None = None
) -> str:
    """`SYSTEM_OPERATION_identifier[_EXTRA]`, for example `SHOPIFY_ORDER_123456`.

    System, operation and extra are upper-cased with `-` and `.` turned into `_`; the identifier
    stays as it is. ValueError for an empty part.
    """
    parts = {
        "system": _token(system),
        "operation_type": _token(operation_type),
        "identifier": str(identifier),
    }
    if extra is not None:
        parts["extra"] = _token(extra)
    for name, part in parts.items():
        if not part.strip():
            raise ValueError(f"{name} of an idempotency key is empty; give every part a text")
    return "_".join(parts.values())


def _token(part: str) -> str:
    return part.upper().replace("-", "_").replace(".", "_")
