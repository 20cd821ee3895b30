"""The shop a request speaks of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from glam_shared.api.documented import Header, reads
from glam_shared.errors import DomainError

PLATFORM_HEADER = "X-Shop-Platform"
DOMAIN_HEADER = "X-Shop-Domain"
MAX_DOMAIN = 253

# RFC 1123, section 2.1: labels of letters, digits and inner hyphens, at most 63 each.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


class ShopPlatform(StrEnum):
    """The platforms that a shop can stand on."""

    SHOPIFY = "shopify"
    BIGCOMMERCE = "bigcommerce"
    WOOCOMMERCE = "woocommerce"
    MAGENTO = "magento"
    SQUARESPACE = "squarespace"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class PlatformContext:
    """The shop's platform, and its domain in lower case."""

    platform: str
    domain: str

    @property
    def is_shopify(self) -> bool:
        """Whether the shop stands on Shopify."""
        return self.platform == ShopPlatform.SHOPIFY


def is_host_name(text: str) -> bool:
    """Whether *text*, in lower case, is a host name of RFC 1123."""
    return len(text) <= MAX_DOMAIN and _HOST.fullmatch(text) is not None


@reads(
    Header(PLATFORM_HEADER, "The shop's platform", schema={"enum": [*map(str, ShopPlatform)]}),
    Header(DOMAIN_HEADER, "The shop's domain", schema={"format": "hostname"}),
)
async def _read_platform(request: Request) -> PlatformContext:
    platform = _single(request, PLATFORM_HEADER)
    if platform not in set(ShopPlatform):
        raise DomainError(
            f"{PLATFORM_HEADER} must be one of {', '.join(ShopPlatform)}",
            code="INVALID_PLATFORM",
        )
    domain = _single(request, DOMAIN_HEADER)
    if not is_host_name(domain):
        raise DomainError(f"{DOMAIN_HEADER} must be a host name", code="INVALID_DOMAIN")
    return PlatformContext(platform=platform, domain=domain)


def _single(request: Request, name: str) -> str:
    """The header in lower case; empty when it is missing or sent twice."""
    found = request.headers.getlist(name)
    return found[0].strip().lower() if len(found) == 1 else ""


PlatformContextDep = Annotated[PlatformContext, Depends(_read_platform)]
"""The shop of ``X-Shop-Platform`` and ``X-Shop-Domain``; 400 when one is missing or wrong."""
