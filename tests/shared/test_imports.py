"""What importing the library costs, and what it exports."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

FOREIGN = ("nats", "fastapi", "starlette", "jwt", "glam_worker")


@pytest.mark.parametrize(
    "module",
    [
        "glam_shared",
        "glam_shared.messaging",
        "glam_shared.messaging.events",
        "glam_shared.messaging.dead_letter",
    ],
)
def test_importing_loads_no_client_and_no_web_framework(module: str) -> None:
    """A fresh interpreter that imports the module has loaded none of them."""
    code = f"import sys, {module}; print(sorted(set(sys.modules) & {set(FOREIGN)}))"

    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert "[]" == found.stdout.strip()


@pytest.mark.parametrize(
    "module", ["glam_shared", "glam_shared.messaging", "glam_shared.messaging.events"]
)
def test_every_exported_name_is_there(module: str) -> None:
    """`__all__` promises no name that is missing, and each one once."""
    found = importlib.import_module(module)

    assert len(set(found.__all__)) == len(found.__all__)
    for name in found.__all__:
        assert getattr(found, name) is not None, name
    assert set(found.__all__) <= set(dir(found))


def test_the_messaging_section_is_exported() -> None:
    """Subjects, payloads, envelope, client and publishers are found in one place."""
    messaging = importlib.import_module("glam_shared.messaging")
    events = importlib.import_module("glam_shared.messaging.events")

    core = {"EventEnvelope", "EventPublisher", "JetStreamClient", "Publisher", "Subjects"}
    assert core | set(events.__all__) == set(messaging.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """The lazy names do not hide a misspelt one."""
    messaging = importlib.import_module("glam_shared.messaging")

    with pytest.raises(AttributeError, match="Publishr"):
        messaging.Publishr  # noqa: B018
