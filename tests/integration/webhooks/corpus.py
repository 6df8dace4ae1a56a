"""URLs and addresses that must never be called, and some that must. Read by test_ssrf.py."""
# ruff: noqa: RUF001, E501  look-alike digits are the point, and the list is data

from collections.abc import Iterator
from itertools import product

PORTS = ("", ":443", ":8080", ":65535")
PATHS = ("/", "/latest/meta-data/", "/?x=http://example.com/")
ADDRESSES = (
    # loopback, in every spelling that some parser knows
    "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "0177.0.0.1", "0x7f.0.0.1", "0x7f.1", "0x7f000001",
    "2130706433", "017700000001", "0x7F000001", "127.0.0.1.", "127.000.000.001", "127.0.0.01", "①②⑦.⓪.⓪.①",
    "127。0。0。1", "１２７.0.0.1", "⑫7.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::]", "[::ffff:0:127.0.0.1]", "[::1%25lo]",
    # unspecified and this network
    "0.0.0.0", "0", "0x0", "00000000", "0.0.0.1", "[::]", "[::ffff:0.0.0.0]",
    # private, shared, link-local
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1.254", "100.64.0.1",
    "100.127.255.255", "169.254.0.1", "0xA.0.0.1", "167772161", "[::ffff:10.0.0.1]", "[64:ff9b::10.0.0.1]",
    "[2002:a00:1::]", "[fc00::1]", "[fd12:3456:789a::1]", "[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]",
    "[::ffff:192.168.1.1]", "[2002:c0a8:101::1]",
    # metadata of clouds
    "169.254.169.254", "0xA9FEA9FE", "2852039166", "169.254.43518", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "[fd00:ec2::254]", "[fd20:ce::254]",
    # reserved, documentation, benchmarking, multicast, broadcast
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "192.31.196.1", "192.52.193.1",
    "192.175.48.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "[ff02::1]", "[ff00::]", "[5f00::1]",
    "[100::1]", "[2001:db8::1]", "[3fff::1]", "[2001:2::1]", "[2001:20::1]", "[3ffe::1]", "[2620:4f:8000::1]",
    "[4000::1]", "[8000::1]",
)  # fmt: skip
NAMES = (
    "localhost", "LOCALHOST", "localhost.", "app.localhost", "ip6-localhost", "router.local", "db.internal",
    "metadata.google.internal", "intranet", "kubernetes.default.svc.cluster.local", "x.lan", "x.home.arpa", "redis",
    "host.docker.internal", "ｌｏｃａｌｈｏｓｔ", "a..b", "-a.example.com", "a" * 64 + ".example.com", "ex ample.com",
    "example.com\t", "exam\nple.com", "example.com\\@127.0.0.1", "example.com%00.evil.com", "example.com%2f@127.0.0.1",
)  # fmt: skip
ODD = (
    "", " ", "https://", "https:///path", "//example.com/", "example.com", "https:example.com", "https:/example.com",
    "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "javascript:alert(1)", "data:text/plain,x",
    "unix:///var/run/docker.sock", "ws://example.com/", "jar:https://example.com!/", "dict://127.0.0.1:11211/",
    "https://user@example.com/", "https://user:pass@example.com/", "https://@example.com/", "https://:@example.com/",
    "https://example.com@127.0.0.1/", "https://127.0.0.1@example.com/", "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment", "https://example.com:0/", "https://example.com:22/", "https://example.com:25/",
    "https://example.com:53/", "https://example.com:110/", "https://example.com:139/", "https://example.com:445/",
    "https://example.com:1023/", "https://example.com:2375/", "https://example.com:3306/", "https://example.com:5432/",
    "https://example.com:6379/", "https://example.com:6443/", "https://example.com:9200/", "https://example.com:10250/",
    "https://example.com:11211/", "https://example.com:27017/", "https://example.com:65536/", "https://example.com:-1/",
    "https://example.com:abc/", "https://example.com:８０/", "https://[::1/", "https://::1/", "https://[::g]/",
    "https://[127.0.0.1]/", "https://[v1.x]/", "https://256.256.256.256/", "https://1.2.3.4.5/", "https://1.2.3/",
    "https://0x/", "https://example.com/" + "a" * 2_100, "https://example.com/\r\nX-Injected: 1", "https://example.com/ b",
    "https:\\\\example.com\\", "https://example.com\\.evil.com", "https://exa\x00mple.com/", "https://exam\udc80ple.com/",
)  # fmt: skip
PUBLIC = (
    "https://example.com", "https://example.com/", "https://hooks.example.com:8443/in?a=b", "https://93.184.215.14/",
    "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/x", "https://EXAMPLE.com/", "https://example.com./",
    "https://xn--bcher-kva.example/", "https://a_b.example.com/", "https://example.com/%20?q=%00", "https://8.8.8.8:443/",
)  # fmt: skip


def refused_urls() -> Iterator[str]:
    """Every combination that matters, and the odd ones."""
    for address, port in product(ADDRESSES, PORTS[:2]):
        yield f"https://{address}{port}/"
    for address, path in zip(ADDRESSES, PATHS * len(ADDRESSES), strict=False):
        yield f"http://{address}:8080{path}"
    for name in NAMES:
        yield f"https://{name}/"
    yield from ODD
