"""Who may look, and who may act."""

from __future__ import annotations

import hmac
import ipaddress

from glam_worker.errors import UsageError

LEAST_TOKEN = 32
"""Bytes: what is shorter can be guessed."""


class Access:
    """Looking is open on this machine; everything else needs the bearer token of the settings.

    Without a token nobody can act. Raises UsageError for a token that is too short, and for a host
    other than this machine without a token.
    """

    def __init__(self, token: str | None, host: str) -> None:
        self._token = None if token is None else token.encode()
        self._local = is_loopback(host)
        if self._token is not None and len(self._token) < LEAST_TOKEN:
            raise UsageError(
                f"GLAM_CONSOLE_TOKEN has {len(self._token)} bytes; {LEAST_TOKEN} or more are "
                "needed: make one with `openssl rand -hex 32`"
            )
        if self._token is None and not self._local:
            raise UsageError(
                f"--host {host} can be reached from other machines, so reading needs a token: set "
                "GLAM_CONSOLE_TOKEN, or leave --host out"
            )

    @property
    def acting(self) -> bool:
        """Whether anybody can act."""
        return self._token is not None

    def may_read(self, authorization: str | None, asked_for: str | None) -> bool:
        """Whether this request may look; ``asked_for`` is its Host header.

        Another site whose name points to this machine (DNS rebinding) is not this machine.
        """
        if self._local and _is_local_name(asked_for):
            return True
        return self.may_act(authorization)

    def may_act(self, authorization: str | None) -> bool:
        """Whether it brings the token; takes the same time for every wrong one."""
        if self._token is None:
            return False
        scheme, _, given = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("utf-8", "replace"), self._token
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_local_name(asked_for: str | None) -> bool:
    name = (asked_for or "").lower()
    name = name[1 : name.find("]")] if name.startswith("[") else name.partition(":")[0]
    return is_loopback(name)
