"""Addresses that webhooks may call. Pure; our own table, because Python's `is_global` changes between versions.

Refused is everything that is not ordinary public unicast, and whatever carries such an IPv4 address inside (mapped,
NAT64, 6to4, Teredo). An operator may allow named networks; the cloud's metadata addresses are refused even then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED = {
    # IANA IPv4 Special-Purpose Address Registry, multicast, and what clouds use inside
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared (carrier-grade NAT)",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "Azure platform",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved or broadcast",
    # IANA IPv6 Special-Purpose Address Registry; only 2000::/3 is assigned for unicast at all (checked below)
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3ffe::/16": "6bone",
    "3fff::/20": "documentation",
}
_METADATA = (  # never, not even when an operator allows the network around them
    "169.254.169.254/32",
    "169.254.170.2/32",
    "169.254.170.23/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "fe80::a9fe:a9fe/128",
)
TABLE: tuple[tuple[Network, str], ...] = tuple((ip_network(text), what) for text, what in _REFUSED.items())
METADATA: tuple[Network, ...] = tuple(ip_network(text) for text in _METADATA)
UNICAST = IPv6Network("2000::/3")
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
COMPATIBLE = IPv6Network("::/96")
LOOPBACK = IPv6Address("::1")


class AddressRefused(Exception):
    """Not an address that we call; the text says which and why, and may be shown to the endpoint's owner."""


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Decides by the address that is really dialled. `allowed` are the operator's named networks."""

    allowed: Sequence[Network] = ()

    def check(self, text: str) -> None:
        """Raise AddressRefused unless `text`, an IP address, may be called."""
        address = ip_address(text.partition("%")[0])
        inside = [address, *_embedded(address)]
        for one in inside:
            if _within(one, METADATA):
                raise AddressRefused(f"{text} is refused: a cloud metadata address.")
        if _within(address, self.allowed):
            return
        for one in inside:
            if what := _why_refused(one):
                raise AddressRefused(f"{text} is refused: {what}. Webhooks go to public addresses.")


def parse_networks(words: Iterable[str]) -> tuple[Network, ...]:
    """Return networks from their texts. Raises ValueError for one that is none, or names a host of it."""
    return tuple(ip_network(word) for word in words)


def _why_refused(address: Address) -> str:
    for network, what in TABLE:
        if address in network:
            return what
    if isinstance(address, IPv6Address) and address not in UNICAST and not any(address in one for one in NAT64):
        return "loopback" if address == LOOPBACK else "not public unicast"
    if isinstance(address, IPv6Address) and address in NAT64[1]:
        return "local-use NAT64"
    return ""


def _embedded(address: Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address stands for on some network."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in NAT64) or address in COMPATIBLE:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [one for one in found if one is not None]


def _within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of `networks` holds the address itself, or the IPv4 address it is mapped from."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any(one in network for network in networks for one in (address, mapped) if one)
