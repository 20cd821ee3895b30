"""``glam-worker config``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json
from glam_worker.cli.printing import document, note, table

if TYPE_CHECKING:
    from glam_worker.settings import Settings
    from glam_worker.settings.sources import Origin


def config(as_json: Json = False) -> None:
    """Show the settings in effect, and where each comes from. Secrets are masked.

    Example: GLAM_CONCURRENCY=64 glam-worker config
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    with explained():
        settings = Settings.load()
        entries = [_entry(settings, name, origin) for name, origin in Settings.origins().items()]
        if as_json:
            document(entries)
        else:
            table(("variable", "value", "from"), [_row(entry) for entry in entries])
        for warning in Settings.warnings():
            note(f"glam-worker: warning: {warning}")


def _entry(settings: Settings, name: str, origin: Origin) -> dict[str, Any]:
    from glam_worker.settings.problems import masked  # noqa: PLC0415

    value = masked(type(settings).model_fields[name], getattr(settings, name))
    return {"variable": origin.variable, "value": value, "from": origin.kind}


def _row(entry: dict[str, Any]) -> list[object]:
    value = entry["value"]
    text = ",".join(value) if isinstance(value, tuple) else value
    return [entry["variable"], text, entry["from"]]
