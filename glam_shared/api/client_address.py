"""Which address a request comes from, when proxies stand between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from glam_shared.errors import ConfigurationError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks of a comma-separated CIDR list.

    Raises ConfigurationError for one that cannot be read.
    """
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"GLAM_TRUSTED_PROXIES: {error}. Write networks like 10.0.0.0/8, comma-separated.",
            config_key="GLAM_TRUSTED_PROXIES",
        ) from None


def client_address(
    peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]
) -> str | None:
    """The address of the client: pure.

    *peer* unless it is trusted. Else ``X-Forwarded-For`` (*forwarded*, in the order received) is
    walked from the right past every trusted proxy, because all to the left of the first stranger
    is that stranger's own writing. What is no address ends the walk.
    """
    found = _parse(peer or "")
    if found is None:
        return peer
    for hop in _from_the_right(forwarded):
        if not any(found in network for network in trusted):
            break
        address = _parse(hop)
        if address is None:
            break
        found = address
    return str(found)


def _from_the_right(forwarded: Sequence[str]) -> Iterable[str]:
    return reversed([hop.strip() for line in forwarded for hop in line.split(",")])


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
