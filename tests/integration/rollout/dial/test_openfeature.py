"""The dial as an OpenFeature provider, and other providers in its place."""

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason
from psycopg.rows import DictRow

from gateway.live.provider_choice import ProviderChoice
from realtime_bridge.rollout.dial import flag_source
from realtime_bridge.rollout.dial.decision import Told
from realtime_bridge.rollout.dial.errors import FlagProviderError
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.rollout.openfeature import STAGE_FLAG, CrossfadeProvider
from realtime_bridge.settings import Settings
from realtime_bridge.shared.environment import ConfigurationError
from realtime_bridge.shared.variables import Provider
from tests.integration.rollout.stages import put_stage
from tests.waiting import wait_for

USER = "00000000-0000-0000-0000-000000000000"  # bucket 6807, as the published vectors say
ACCOUNT = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@pytest.fixture
def client(database_url: str) -> Iterator[OpenFeatureClient]:
    provider = CrossfadeProvider(database_url)
    api.set_provider_and_wait(provider, "test")
    yield api.get_client("test")
    provider.shutdown()
    api.clear_providers()


def ask(client: OpenFeatureClient, user: str = USER) -> FlagEvaluationDetails[str]:
    return client.get_string_details(FLAG, "default", EvaluationContext(user, {"accountId": ACCOUNT}))


def test_the_flag_has_value_reason_and_metadata(client: OpenFeatureClient, conn: psycopg.Connection[DictRow]) -> None:
    """Disabled in off, split by the bucket in a ramp, targeted by an override; the boolean says the same."""
    assert (ask(client).value, ask(client).reason) == ("socketio", Reason.DISABLED)
    version = put_stage(conn, "75")
    wait_for(lambda: ask(client).value == "supabase", "the ramp", 5.0)
    details = ask(client)
    assert details.reason == Reason.SPLIT
    assert details.flag_metadata == {"stage": "ramp 75", "percentage": 75.0, "bucket": 6807, "version": version}
    assert client.get_boolean_value(FLAG, False, EvaluationContext(USER)) is True
    assert client.get_string_value(STAGE_FLAG, "default") == "ramp 75"
    conn.execute("insert into rollout_overrides values (%s, 'account', %s, 'socketio', 'w', 'me')", (FLAG, ACCOUNT))
    wait_for(lambda: ask(client).value == "socketio", "the override", 5.0)
    assert ask(client).reason == Reason.TARGETING_MATCH


def test_bad_questions_get_the_default_and_an_error_code(client: OpenFeatureClient) -> None:
    """No targeting key, no UUID, another flag, another type."""
    assert client.get_string_details(FLAG, "default").error_code == ErrorCode.TARGETING_KEY_MISSING
    assert ask(client, "me").error_code == ErrorCode.INVALID_CONTEXT
    assert client.get_string_details("colour", "default").error_code == ErrorCode.FLAG_NOT_FOUND
    assert client.get_integer_details(FLAG, 7).error_code == ErrorCode.TYPE_MISMATCH
    assert ask(client, "me").value == "default"


def test_a_database_that_is_away_at_the_start_is_an_error() -> None:
    """`set_provider_and_wait` raises; nobody waits for ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("realtime_bridge.rollout.openfeature.READY_TIMEOUT_S", 0.3)
        details = _details_of(CrossfadeProvider("postgresql://postgres@127.0.0.1:1/nowhere"))
    assert details.value == "default"
    assert details.error_code is not None


def _details_of(provider: CrossfadeProvider) -> FlagEvaluationDetails[str]:
    with pytest.raises(Exception, match="could not be read"):
        api.set_provider_and_wait(provider, "away")
    try:
        return ask(api.get_client("away"))
    finally:
        api.clear_providers()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("everybody", "supabase"), ("nonsense", "socketio"), ("empty", "socketio"), ("failing", "socketio")],
)
def test_another_provider_answers_or_legacy_does(name: str, expected: str) -> None:
    """What is no usable answer is legacy: the side that is fed in any case."""
    ask_provider = flag_source.load(f"tests.integration.rollout.dial.flag_providers:{name}")
    assert ask_provider(UUID(USER), UUID(ACCOUNT)) is Told(expected)
    api.clear_providers()


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("launchdarkly", "module:factory"),
        (":make", "module:factory"),
        ("no_such_module:make", "cannot be imported"),
        ("tests.integration.rollout.dial.flag_providers:absent", "has no absent"),
        ("tests.integration.rollout.dial.flag_providers:broken", "no licence"),
        ("tests.integration.rollout.dial.flag_providers:no_provider", "does not return"),
    ],
)
def test_an_unknown_flag_provider_is_one_sentence(spec: str, word: str) -> None:
    """It names the variable and what is wrong; the process does not start half configured."""
    with pytest.raises(FlagProviderError, match=word) as refused:
        flag_source.load(spec)
    assert "CROSSFADE_FLAG_PROVIDER" in str(refused.value)


def test_a_cohort_cannot_ask_a_foreign_provider() -> None:
    """Refused when the bridge starts, naming both variables."""
    variables = {
        "DATABASE_URL": "postgresql://x",
        "SUPABASE_JWT_SECRET": "s" * 40,
        "CROSSFADE_FEED": "cohort",
        "CROSSFADE_FLAG_PROVIDER": "a:b",
    }
    with pytest.raises(ConfigurationError, match=r"CROSSFADE_FEED=cohort.*CROSSFADE_FLAG_PROVIDER"):
        Settings.from_env(variables)


def test_a_bridge_with_an_unknown_flag_provider_does_not_start(database_url: str) -> None:
    """It ends with exit code 1 and the sentence, and no traceback."""
    variables = {
        "DATABASE_URL": database_url,
        "SUPABASE_JWT_SECRET": "s" * 40,
        "CHAT_REALTIME_PROVIDER": "rollout",
        "CROSSFADE_FLAG_PROVIDER": "launchdarkly:make",
        "CROSSFADE_BRIDGE_PORT": "1",
    }
    command = [sys.executable, "-m", "realtime_bridge"]
    ended = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "CROSSFADE_FLAG_PROVIDER: the module launchdarkly cannot be imported" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("launchdarkly:make", "the module launchdarkly cannot be imported: No module named 'launchdarkly'."),
        ("tests.integration.rollout.dial.flag_providers:leaving", "it ended the process that loaded it."),
    ],
)
def test_a_gateway_with_an_unknown_flag_provider_does_not_start(spec: str, sentence: str) -> None:
    """It ends with exit code 1 and the sentence, once, however many workers it would have had."""
    variables = {
        "DATABASE_URL": "postgresql://x",
        "REDIS_URL": "redis://x",
        "CHAT_REALTIME_PROVIDER": "rollout",
        "CROSSFADE_FLAG_PROVIDER": spec,
        "CROSSFADE_GATEWAY_PORT": "0",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "gateway/gunicorn.conf.py", "gateway.wsgi:application"]
    ended = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"CROSSFADE_FLAG_PROVIDER: {sentence}\n"


def test_only_a_gateway_that_follows_the_dial_asks_for_a_flag_provider() -> None:
    """A pinned one starts, whatever the variable says."""
    with pytest.raises(ConfigurationError, match="launchdarkly"):
        ProviderChoice(Provider.ROLLOUT, "postgresql://x", "launchdarkly:make")
    ProviderChoice(Provider.DUAL, "postgresql://x", "launchdarkly:make")
