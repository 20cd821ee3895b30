"""The keys by which services of the platform know each other."""

from __future__ import annotations

import hmac

from glam_shared.api.settings import HttpSettings
from glam_shared.errors import ConfigurationError

MIN_KEY_BYTES = 32
CONFIG_KEY = "INTERNAL_JWT_SECRET"


class ServiceKeys:
    """Finds the service that a key belongs to, in a time that does not depend on the key."""

    def __init__(self, keys: tuple[tuple[str, bytes], ...]) -> None:
        self._keys = keys

    @classmethod
    def from_settings(cls, settings: HttpSettings) -> ServiceKeys | None:
        """None when nothing is set; ConfigurationError when an entry is wrong or weak."""
        if settings.internal_jwt_secret is None:
            return None
        text = settings.internal_jwt_secret.get_secret_value()
        entries = tuple(_entry(part.strip(), n) for n, part in enumerate(text.split(","), start=1))
        _refuse_shared_keys(entries)
        return cls(entries)

    def service_of(self, key: str) -> str | None:
        """The service that *key* belongs to, None when it is nobody's."""
        given = key.encode()
        found = None
        for service, known in self._keys:
            # No early exit: the time must not tell which entry matched.
            if hmac.compare_digest(known, given):
                found = service
        return found


def _entry(text: str, number: int) -> tuple[str, bytes]:
    service, colon, key = (part.strip() for part in text.partition(":"))
    if not colon or not service:
        raise _wrong(f"entry {number} has no service name. Write service:key,service:key.")
    if len(key.encode()) < MIN_KEY_BYTES:
        raise _wrong(f"the key of {service} is empty or shorter than {MIN_KEY_BYTES} bytes.")
    return service, key.encode()


def _refuse_shared_keys(entries: tuple[tuple[str, bytes], ...]) -> None:
    owners: dict[bytes, str] = {}
    for service, key in entries:
        if owners.setdefault(key, service) != service:
            raise _wrong(f"{owners[key]} and {service} have the same key. Give each its own.")


def _wrong(reason: str) -> ConfigurationError:
    return ConfigurationError(f"{CONFIG_KEY}: {reason}", config_key=CONFIG_KEY)
