"""Client tokens: how one is read, and the one way each can be wrong (RFC 8725)."""

from __future__ import annotations

import re
from typing import Any

import jwt

from glam_shared.api.settings import HttpSettings
from glam_shared.errors import ConfigurationError

ALGORITHM = "HS256"
MIN_SECRET_BYTES = 32
MAX_TOKEN_BYTES = 8 * 1024
MAX_REASON = 200

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenRejectedError(Exception):
    """Why a token is not accepted; for the log only."""


class ClientTokens:
    """Reads client tokens.

    * one algorithm, fixed here and never taken from the token;
    * every key of a rotation is tried;
    * size and characters are checked before anything is parsed.
    """

    def __init__(
        self,
        secrets: tuple[str, ...],
        *,
        audience: str | None = None,
        issuer: str | None = None,
        leeway: float = 5.0,
    ) -> None:
        self._keys = tuple(secret.encode() for secret in secrets)
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway

    @classmethod
    def from_settings(cls, settings: HttpSettings) -> ClientTokens | None:
        """None when no secret is set; ConfigurationError when one is weak."""
        if settings.client_jwt_secret is None:
            return None
        text = settings.client_jwt_secret.get_secret_value()
        secrets = tuple(part.strip() for part in text.split(","))
        if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in secrets):
            raise ConfigurationError(
                "CLIENT_JWT_SECRET: a secret is empty or shorter than 32 bytes. "
                "Make one with `openssl rand -base64 48`.",
                config_key="CLIENT_JWT_SECRET",
            )
        return cls(
            secrets,
            audience=settings.client_jwt_audience or None,
            issuer=settings.client_jwt_issuer or None,
            leeway=settings.client_jwt_leeway,
        )

    def read(self, token: str) -> dict[str, Any]:
        """The claims of *token*; raises TokenRejectedError with the reason."""
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenRejectedError(f"token of {len(token)} bytes, at most {MAX_TOKEN_BYTES}")
        if not _TOKEN.fullmatch(token):
            raise TokenRejectedError("not three base64url parts")
        for key in self._keys:
            try:
                return self._claims(token, key)
            except jwt.InvalidSignatureError:
                continue
        raise TokenRejectedError("signature of none of our keys")

    def _claims(self, token: str, key: bytes) -> dict[str, Any]:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={
                    "require": ["exp", "sub"],
                    "verify_aud": self._audience is not None,
                    "verify_iss": self._issuer is not None,
                },
            )
        except jwt.InvalidSignatureError:
            raise
        except Exception as error:  # noqa: BLE001 - PyJWT lets RecursionError, OverflowError, ... out
            raise TokenRejectedError(f"{type(error).__name__}: {error}"[:MAX_REASON]) from None
        return _with_subject(claims)


def _with_subject(claims: dict[str, Any]) -> dict[str, Any]:
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject.strip():
        raise TokenRejectedError("empty sub")
    if not isinstance(claims.get("scope", ""), str):
        raise TokenRejectedError("scope is no text")
    return claims
