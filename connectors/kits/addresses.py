"""Where an outgoing connection may go: an address is checked once, and the connection uses the checked one.

A host name is resolved here and nowhere else, so a name that changes between check and use (DNS rebinding) changes
nothing. Only public addresses are met unless a network is named in the settings: partners in closed police networks
and labs on the loopback are named, cloud metadata and other link-local addresses never are (OWASP ASVS 5.0, 1.3.6).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from schemas.errors import Code, Misconfigured

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA: Final = ipaddress.IPv6Address("fd00:ec2::254")


class AddressRefusedError(OSError):
    """The name leads only to addresses that may not be met. An OSError, as aiohttp expects of a resolver."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR form (`10.20.0.0/16`). Misconfigured for a wrong one or one that holds host bits."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError:
        raise Misconfigured(
            Code.CONFIGURATION_INVALID, "a network is written as address/prefix, without host bits", "/allowed_networks"
        ) from None


def allowed(address: Address, named: Iterable[Network] = ()) -> bool:
    """Whether a connection may go to the address: public, or inside a named network; never link-local or multicast."""
    inner = _inner(address)
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner == _METADATA:
        return False
    if any(inner.version == network.version and inner in network for network in named):
        return True
    return inner.is_global and not inner.is_reserved


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one only carries: mapped, 6to4, NAT64; Teredo's client."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def literal(host: str) -> Address | None:
    """The address that a host of an URL spells out; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


class Pinned(AbstractResolver):
    """Resolves for one HTTP client and gives only addresses that may be met.

    `0x7f.1`, `2130706433` and the like are names to us: the system turns them into addresses, which are then checked.
    """

    def __init__(self, named: Iterable[Network] = ()) -> None:
        self._named = tuple(named)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The allowed addresses of the host. AddressRefusedError when there are only others."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        chosen: list[ResolveResult] = []
        for kind, _, proto, _, (text, *_rest) in found:
            if allowed(ipaddress.ip_address(text), self._named):
                chosen.append(
                    ResolveResult(
                        hostname=host,
                        host=str(text),
                        port=port,
                        family=kind,
                        proto=proto,
                        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                    )
                )
        if not chosen:
            raise AddressRefusedError(None, "the host leads to no address that may be met")
        return chosen

    async def close(self) -> None:
        """Nothing is kept."""
