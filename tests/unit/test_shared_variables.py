"""One variable means the same to every process that reads it."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial, reduce
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.settings import Settings as GatewaySettings
from ops.cli.main import main
from ops.local_supabase.settings import Settings as EndpointSettings
from realtime_bridge.settings import Settings as BridgeSettings
from realtime_bridge.shared.environment import NAMES, ConfigurationError, misspelt
from realtime_bridge.shared.secrets import SecretBox
from realtime_bridge.shared.signing_key import SigningKey
from realtime_bridge.webhooks.contract.urls import UrlPolicy
from tests.signing_keys import private_jwk

ROOT = Path(__file__).parents[2]
OF_SCRIPTS = {"CROSSFADE_PYTHON"}  # ops/python.sh reads it
SECRET = "s" * 40
BOTH = {
    "DATABASE_URL": "postgresql://postgres@h/db",
    "REDIS_URL": "redis://h",
    "SUPABASE_URL": "https://x.supabase.co",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
    "SUPABASE_JWT_SECRET": SECRET,
    "CROSSFADE_STORAGE": "supabase",
}
BOX = base64.b64encode(bytes(32)).decode()
BOX_OF_ZEROS = SecretBox([bytes(32)])
# variable -> where each process keeps it, and what people write there, good and bad
SHARED: dict[str, tuple[str, str, list[str]]] = {
    "DATABASE_URL": ("database_url", "database_url", ["", "mysql://h/db", "postgres://h/db", " postgresql://h/db "]),
    "REDIS_URL": ("redis_url", "redis_url", ["memcached://h", "rediss://h:1/2", "unix:///tmp/redis"]),
    "SUPABASE_URL": ("supabase_url", "supabase_url", ["x.supabase.co", "ftp://h", "https://h/", "https://h"]),
    "SUPABASE_SECRET_KEY": ("files._secret_key", "supabase_secret_key", ["sb_secret_y", " k "]),
    "SUPABASE_SERVICE_ROLE_KEY": ("files._secret_key", "supabase_secret_key", ["eyJ"]),
    "SUPABASE_JWT_SECRET": ("signing_key", "signing_key", ["short", "é" * 16, SECRET]),
    "SUPABASE_JWT_SIGNING_KEY": ("signing_key", "signing_key", ["{}", "no JSON", "KEY"]),
    "CHAT_REALTIME_PROVIDER": ("provider", "provider", ["", "both", "Dual", "supabase", "rollout "]),
    "CROSSFADE_FLAG_PROVIDER": ("flag_provider", "flag_provider", ["", "a:b"]),
    "CROSSFADE_CORS_ORIGINS": (
        "cors_origins",
        "cors_origins",
        [
            "*",
            "not an origin",
            "https://a.example/",
            "https://a b.example",
            "https://a,http://b:3000",
            "https://a http://b",
        ],
    ),
    "CROSSFADE_JWT_AUDIENCE": ("token_rules", "token_rules", ["", "chat"]),
    "CROSSFADE_JWT_ISSUER": ("token_rules", "token_rules", ["", "https://auth.example.com"]),
    "CROSSFADE_METRICS_HOST": ("metrics_host", "metrics_host", ["", "0.0.0.0", "::1"]),
    "CROSSFADE_SECRETS_KEY": ("secrets", "secrets", ["", "x", BOX, f"{BOX}, {BOX}"]),
    "CROSSFADE_WEBHOOK_ALLOWED_NETWORKS": ("webhook_urls", "webhook_urls", ["10.0.0.0/8 ::1/128", "10.0.0.1/8", "x"]),
    "CROSSFADE_WEBHOOK_PLAIN_HTTP": ("webhook_urls", "webhook_urls", ["yes", "no", "true"]),
    "CROSSFADE_WUZAPI_URLS": ("wuzapi_servers", "wuzapi_servers", ["http://w:1", "http://w/, https://v", "w"]),
    "CROSSFADE_LISTEN_FDS": ("listen_fds", "listen_fds", ["", "8000:3 9100:4", "3", "8000:x"]),
    "CROSSFADE_LOG_LEVEL": ("log_level", "log_level", ["debug", "LOUD"]),
    "CROSSFADE_LOG_FORMAT": ("log_format", "log_format", ["console", "xml"]),
}


class Recorded(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def test_the_list_above_is_whole() -> None:
    """Whatever gateway and bridge both ask their environment for is compared below."""
    asked = []
    for settings in (GatewaySettings, BridgeSettings):
        old_name = {"SUPABASE_SERVICE_ROLE_KEY": "k"}  # asked for where the new one is not set
        variables = [Recorded(BOTH), Recorded(without("SUPABASE_SECRET_KEY", BOTH) | old_name)]
        for one in variables:
            settings.from_env(one)
        asked.append(set().union(*(one.asked for one in variables)))
    assert asked[0] & asked[1] == set(SHARED)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (*_, values) in SHARED.items() for value in values]
)
def test_gateway_and_bridge_read_alike(name: str, value: str) -> None:
    """The same setting, or the same sentence about it."""
    gateway_place, bridge_place, _ = SHARED[name]
    given = private_jwk("ES256", "a") if value == "KEY" else value
    variables = without("SUPABASE_SECRET_KEY", BOTH) if name == "SUPABASE_SERVICE_ROLE_KEY" else BOTH
    variables = variables | {name: given}
    read_by_gateway = outcome(lambda: at(GatewaySettings.from_env(variables), gateway_place))
    read_by_bridge = outcome(lambda: at(BridgeSettings.from_env(variables), bridge_place))
    assert read_by_gateway == read_by_bridge


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """A line for each variable, in the words that it has alone; who mends them starts again once."""
    # One variable at a time, with a value that both processes refuse.
    wrong = {
        "DATABASE_URL": "mysql://h/db",
        "REDIS_URL": "memcached://h",
        "SUPABASE_URL": "ftp://h",
        "SUPABASE_JWT_SECRET": "short",
        "SUPABASE_JWT_SIGNING_KEY": "{}",
        "CHAT_REALTIME_PROVIDER": "both",
        "CROSSFADE_CORS_ORIGINS": "*",
        "CROSSFADE_SECRETS_KEY": "x",
        "CROSSFADE_WEBHOOK_ALLOWED_NETWORKS": "x",
        "CROSSFADE_WEBHOOK_PLAIN_HTTP": "true",
        "CROSSFADE_WUZAPI_URLS": "w",
        "CROSSFADE_LISTEN_FDS": "x",
        "CROSSFADE_LOG_LEVEL": "LOUD",
        "CROSSFADE_LOG_FORMAT": "xml",
    }
    for settings in (GatewaySettings, BridgeSettings):
        alone = {name: str(outcome(partial(settings.from_env, BOTH | {name: wrong[name]}))) for name in wrong}
        assert all(said.count("\n") == 0 and name in said for name, said in alone.items()), alone
        lines = str(outcome(partial(settings.from_env, BOTH | wrong))).removeprefix("refused: ").splitlines()
        assert sorted(lines) == sorted(said.removeprefix("refused: ") for said in alone.values())


@pytest.mark.parametrize("value", ["*", "not an origin", "https://a.example/path", "https://user@a.example"])
def test_an_origin_is_one(value: str) -> None:
    """Neither process starts with what is none, and the sentence names the variable."""
    for settings in (GatewaySettings, BridgeSettings):
        with pytest.raises(ConfigurationError, match="CROSSFADE_CORS_ORIGINS must be origins"):
            settings.from_env(BOTH | {"CROSSFADE_CORS_ORIGINS": value})


def test_the_local_endpoint_reads_alike() -> None:
    """A secret that the endpoint of `up` refuses is refused by the processes beside it, in the same words."""
    short = {"SUPABASE_JWT_SECRET": "short"}
    refused = outcome(lambda: EndpointSettings.from_environment(short, database_url="", host="", port=0))
    assert refused == outcome(lambda: BridgeSettings.from_env(BOTH | short))


def without(name: str, variables: Mapping[str, str]) -> dict[str, str]:
    return {other: value for other, value in variables.items() if other != name}


def at(settings: object, place: str) -> object:
    return reduce(getattr, place.split("."), settings)


def outcome(read: Callable[[], object]) -> object:
    """Return what was read, as something that can be compared, or the complaint."""
    try:
        found = read()
    except ConfigurationError as error:
        return f"refused: {error}"
    match found:
        case SigningKey():
            return (found.algorithm, found.kid)
        case SecretBox():
            return found.open(BOX_OF_ZEROS.seal(b"sealed", ""), "")
        case UrlPolicy():
            return (found.plain_http, found.guard.allowed)
    return found


def test_every_variable_is_known_by_name() -> None:
    """All that the code reads, that the README lists and that a misspelt one is compared with are the same."""
    sources = [path for room in ("gateway", "realtime_bridge", "ops") for path in (ROOT / room).rglob("*.py")]
    read = {name for path in sources for name in re.findall(r"\bCROSSFADE_[A-Z_]*[A-Z]\b", path.read_text())}
    listed = re.findall(r"^\| `CROSSFADE_([A-Z_]+)`", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(NAMES)
    assert {name.removeprefix("CROSSFADE_") for name in read - OF_SCRIPTS} == set(NAMES)


def test_a_misspelt_variable_is_named_with_what_was_meant() -> None:
    """Not what is ours, nor what is no such name at all: the tests have variables of their own."""
    wrong, right = "CROSSFADE_GATEWAY_TREADS", "CROSSFADE_GATEWAY_THREADS"
    (told,) = misspelt(dict.fromkeys((wrong, right, "CROSSFADE_DRILLS", "HOME", "CROSSFADE_", "GATEWAY_TREADS"), "8"))
    assert told == f"{wrong} is no variable of Crossfade, and changes nothing: did you mean {right}?"
    answer = CliRunner().invoke(main, ["version"], env={"CROSSFADE_CANARY_RATE": "2"})
    assert (answer.exit_code, "did you mean CROSSFADE_CANARY_RATE_PER_S?" in answer.stderr) == (0, True)
