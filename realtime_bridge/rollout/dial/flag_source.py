"""OpenFeature provider in place of our buckets: CROSSFADE_FLAG_PROVIDER=module:factory.

`factory()` returns a provider that resolves the string flag `chat_realtime_provider` to socketio or supabase, by the
targeting key (the user's UUID) and the attribute `accountId`. It decides within a ramp only: the dial, its overrides,
its gates and the kill switch stay above it. What it cannot or does not answer is socketio.
"""

import importlib
from collections.abc import Callable
from uuid import UUID

import structlog
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from realtime_bridge.rollout.dial.errors import FlagProviderError
from realtime_bridge.rollout.dial.stages import FLAG
from realtime_bridge.shared.variables import Told

log = structlog.get_logger(__name__)

DOMAIN = "crossfade"  # leaves the process's default provider alone
VARIABLE = "CROSSFADE_FLAG_PROVIDER"
Ask = Callable[[UUID, UUID], Told]


def load(spec: str) -> Ask:
    """Return who answers for a user of an account. Raises FlagProviderError with one sentence."""
    provider = _make(spec)
    try:
        api.set_provider_and_wait(provider, DOMAIN)
    except OpenFeatureError as error:
        raise FlagProviderError(f"{VARIABLE}: the provider of {spec} is not ready: {error}") from error
    client = api.get_client(DOMAIN)

    def ask(user_id: UUID, account_id: UUID) -> Told:
        context = EvaluationContext(str(user_id), {"accountId": str(account_id)})
        answer = client.get_string_details(FLAG, Told.SOCKETIO.value, context)
        if answer.error_code is None and answer.value in set(Told):
            return Told(answer.value)
        log.warning("flag provider gave no usable answer", spec=spec, error=answer.error_message, value=answer.value)
        return Told.SOCKETIO

    return ask


def _make(spec: str) -> object:
    module_name, colon, name = spec.partition(":")
    if not colon or not module_name or not name:
        raise FlagProviderError(f"{VARIABLE} must be module:factory, not {spec!r}.")
    try:
        factory = getattr(importlib.import_module(module_name), name)
    except ImportError as error:
        raise FlagProviderError(f"{VARIABLE}: the module {module_name} cannot be imported: {error}.") from error
    except AttributeError:
        raise FlagProviderError(f"{VARIABLE}: {module_name} has no {name}.") from None
    try:
        provider = factory()
    except Exception as error:
        raise FlagProviderError(f"{VARIABLE}: {spec} failed: {error!r}.") from error
    if not hasattr(provider, "resolve_string_details"):
        raise FlagProviderError(f"{VARIABLE}: {spec} does not return an OpenFeature provider.")
    return provider
