"""URLs that an endpoint may have. Pure; asked by the API when an endpoint is made, and by the sender at each attempt.

This is the polite half: it says early and clearly what cannot work. The strict half is where the socket is made
(address_guard.py): what a name resolves to is only known there.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from yarl import URL

from realtime_bridge.shared.environment import Environment
from realtime_bridge.webhooks.contract.addresses import AddressGuard, AddressRefused, Network, parse_networks

MAX_URL_BYTES = 2_048
MAX_HOST_CHARS = 253  # RFC 1035 §2.3.4
INTERNAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "localdomain")
# Below 1024 only the web's own ports; above, what is never a receiver but often a target (WHATWG Fetch and databases).
REFUSED_PORTS = frozenset({
    1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5433,
    5672, 5900, 5984, 6000, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 8500, 9042, 9092, 9200, 9300,
    10080, 10250, 10255, 11211, 15672, 27017, 27018, 50070,
})  # fmt: skip
WEB_PORTS = frozenset({80, 443})
FIRST_USER_PORT = 1_024
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_VISIBLE = re.compile(r"[^\x00-\x20\x7f\\]+")


class UrlRefused(ValueError):
    """The URL cannot be an endpoint's; the text says why, in words for its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlPolicy:
    """What the operator allows."""

    plain_http: bool = False
    guard: AddressGuard = field(default_factory=AddressGuard)

    @classmethod
    def from_env(cls, env: Environment) -> "UrlPolicy":
        try:
            networks: tuple[Network, ...] = parse_networks(env.words("CROSSFADE_WEBHOOK_ALLOWED_NETWORKS"))
        except ValueError as error:
            sentence = f"CROSSFADE_WEBHOOK_ALLOWED_NETWORKS must be networks such as 10.1.0.0/16: {error}."
            networks = env.wrong(sentence, ())
        word = env.text("CROSSFADE_WEBHOOK_PLAIN_HTTP", default="no")
        if word not in ("yes", "no"):
            word = env.wrong(f"CROSSFADE_WEBHOOK_PLAIN_HTTP must be yes or no, not {word!r}.", "no")
        return cls(plain_http=word == "yes", guard=AddressGuard(networks))

    def check(self, text: str) -> URL:
        """Return the URL as it will be called. Raises UrlRefused."""
        if not _VISIBLE.fullmatch(text) or len(text.encode("utf-8", "surrogatepass")) > MAX_URL_BYTES:
            raise UrlRefused(
                f"Send a URL of at most {MAX_URL_BYTES} bytes, without spaces, backslashes or line breaks."
            )
        url, netloc = _parse(text)
        schemes = ("https", "http") if self.plain_http else ("https",)
        if url.scheme not in schemes:
            raise UrlRefused(f"Send a URL that begins with {' or '.join(f'{one}://' for one in schemes)}.")
        if url.user is not None or url.password is not None or "@" in netloc:
            raise UrlRefused("Leave user and password out of the URL; send a header instead.")
        if unicodedata.normalize("NFKC", netloc) != netloc:  # full-width and circled digits are digits to some parsers
            raise UrlRefused("Write host and port in plain characters.")
        if "#" in text:
            raise UrlRefused("Leave the fragment out: it is never sent.")
        self._check_host(url.raw_host or "")
        _check_port(url.port or 0)
        return url

    def _check_host(self, host: str) -> None:
        try:
            self.guard.check(host)
        except AddressRefused as error:
            raise UrlRefused(str(error)) from None
        except ValueError:
            self._check_name(host.lower().removesuffix("."))

    def _check_name(self, name: str) -> None:
        labels = name.split(".")
        if _NUMERIC.fullmatch(labels[-1]):
            raise UrlRefused("Write an IP address as four decimal numbers, or use a name.")
        if not name or len(name) > MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
            raise UrlRefused("The host is not a name that DNS can hold.")
        internal = any(name == suffix or name.endswith(f".{suffix}") for suffix in INTERNAL_NAMES) or len(labels) == 1
        if internal and not self.guard.allowed:
            raise UrlRefused(f"{name} is a name inside a network. Webhooks go to public hosts.")


def _parse(text: str) -> tuple[URL, str]:
    """Return the URL as it will be called, and its network location as it was written."""
    try:
        url, netloc = URL(text), urlsplit(text).netloc
        host, _ = url.raw_host, url.port
    except (ValueError, UnicodeError):
        raise UrlRefused("This is not a URL that can be read.") from None
    if not url.absolute or not host:
        raise UrlRefused("Send an absolute URL with a host.")
    if "[" in netloc and ":" not in host:
        raise UrlRefused("Only an IPv6 address stands in brackets.")
    return url, netloc


def _check_port(port: int) -> None:
    if (port < FIRST_USER_PORT and port not in WEB_PORTS) or port in REFUSED_PORTS:
        raise UrlRefused(f"Port {port} is not one that receives webhooks; use 443, or one above 1023.")
