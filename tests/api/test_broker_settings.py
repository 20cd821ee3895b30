"""Where the broker of an HTTP service is, and who the service is there."""

from __future__ import annotations

import pytest

from glam_shared.api import BrokerSettings, PublisherLifespan
from glam_shared.errors import ConfigurationError


@pytest.mark.parametrize("half", ["NATS_USER", "GLAM_NATS_PASSWORD"])
def test_a_user_without_password_is_told_at_start_up(
    half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service does not start as nobody; the line names both variables and no value."""
    monkeypatch.setenv(half, "anna")
    with pytest.raises(ConfigurationError) as raised:
        PublisherLifespan("shop")
    assert "GLAM_NATS_USER and GLAM_NATS_PASSWORD go together" in str(raised.value)
    assert "anna" not in str(raised.value)


def test_user_and_password_are_read_by_either_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by ours and one by the other tools' name are a pair, too."""
    monkeypatch.setenv("NATS_USER", "anna")
    monkeypatch.setenv("GLAM_NATS_PASSWORD", "secret")
    connection = BrokerSettings().connection
    assert (connection["user"], connection["password"]) == ("anna", "secret")
