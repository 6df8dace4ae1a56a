"""The dial as an OpenFeature provider, for a customer's own Python services.

    from openfeature import api
    from realtime_bridge.rollout.openfeature import CrossfadeProvider

    api.set_provider_and_wait(CrossfadeProvider(database_url))
    api.get_client().get_string_value("chat_realtime_provider", "socketio", EvaluationContext(user_id))

Flags: `chat_realtime_provider` as a string (socketio, supabase) or as a boolean (is it supabase), by the targeting key,
which is the user's UUID, and the attribute `accountId`; `chat_realtime_stage` as a string. Values come from memory;
while the database is away the last known stage serves, and PROVIDER_STALE says so.
"""

from typing import NoReturn, TypeVar
from uuid import UUID

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import (
    FlagNotFoundError,
    InvalidContextError,
    ProviderNotReadyError,
    TargetingKeyMissingError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from realtime_bridge.rollout.dial.decision import Decision, Reading, Source
from realtime_bridge.rollout.dial.follower import Dial, DialThread
from realtime_bridge.rollout.dial.stages import FLAG, StageName
from realtime_bridge.shared.variables import Told

STAGE_FLAG = "chat_realtime_stage"
READY_TIMEOUT_S = 5.0
STALE_S = 3.0  # several polls in a row have failed
NO_ACCOUNT = UUID(int=0)  # no override is ever of this one
Value = TypeVar("Value", str, bool)


class CrossfadeProvider(AbstractProvider):  # type: ignore[misc]  # see pyproject.toml
    """Follows the dial in a thread between `initialize` and `shutdown`, which the OpenFeature API calls."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._database_url = database_url
        self._dial: Dial | None = None
        self._thread: DialThread | None = None
        self._is_stale = False

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Wait for the first reading; raises ProviderNotReadyError when there is none in READY_TIMEOUT_S."""
        del evaluation_context
        self._dial = Dial(self._database_url)
        self._thread = DialThread(self._dial)
        self._thread.start()
        if not self._thread.wait_until_known(READY_TIMEOUT_S):
            self._thread.stop()
            raise ProviderNotReadyError("The dial could not be read.")
        self._dial.listen(self._announce_change)

    def shutdown(self) -> None:
        if self._thread is not None:
            self._thread.stop()

    def get_metadata(self) -> Metadata:
        return Metadata(name="crossfade")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        del default_value
        reading = self._reading()
        if flag_key == STAGE_FLAG:
            label = reading.stage.label
            return FlagResolutionDetails(value=label, variant=label, reason=Reason.STATIC)
        decision = _decide(reading, flag_key, evaluation_context)
        return _resolved(decision, decision.provider.value)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        del default_value
        decision = _decide(self._reading(), flag_key, evaluation_context)
        return _resolved(decision, decision.provider is Told.SUPABASE)

    def _refuse(
        self, flag_key: str, default_value: object, evaluation_context: EvaluationContext | None = None
    ) -> NoReturn:
        del default_value, evaluation_context
        raise TypeMismatchError(f"{flag_key} is a string or a boolean.")

    resolve_integer_details = resolve_float_details = resolve_object_details = _refuse

    def _reading(self) -> Reading:
        if self._dial is None or self._dial.reading is None:
            raise ProviderNotReadyError("The dial has not been read yet.")
        is_stale = self._dial.age_s > STALE_S
        if is_stale != self._is_stale:
            self._is_stale = is_stale
            event = ProviderEvent.PROVIDER_STALE if is_stale else ProviderEvent.PROVIDER_READY
            self._emit(event, ProviderEventDetails(message="The last known stage serves." if is_stale else None))
        return self._dial.reading

    def _announce_change(self) -> None:
        details = ProviderEventDetails(flags_changed=[FLAG, STAGE_FLAG])
        self._emit(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, details)

    def _emit(self, event: ProviderEvent, details: ProviderEventDetails) -> None:
        if hasattr(self, "_on_emit"):  # attached
            self._on_emit(self, event, details)


def _decide(reading: Reading, flag_key: str, context: EvaluationContext | None) -> Decision:
    if flag_key != FLAG:
        raise FlagNotFoundError(f"There are {FLAG} and {STAGE_FLAG}.")
    if context is None or not context.targeting_key:
        raise TargetingKeyMissingError("The targeting key is the user's UUID.")
    account = context.attributes.get("accountId")
    try:
        return reading.decide(UUID(context.targeting_key), UUID(str(account)) if account else NO_ACCOUNT)
    except ValueError:
        raise InvalidContextError("The targeting key and accountId are UUIDs.") from None


def _reason(decision: Decision) -> Reason:
    if decision.source is Source.BUCKET:
        return Reason.SPLIT
    if decision.source is Source.OVERRIDE:
        return Reason.TARGETING_MATCH
    return Reason.DISABLED if decision.stage.name is StageName.OFF else Reason.STATIC


def _resolved(decision: Decision, value: Value) -> FlagResolutionDetails[Value]:
    stage = decision.stage
    return FlagResolutionDetails(
        value=value,
        variant=decision.provider.value,
        reason=_reason(decision),
        flag_metadata={
            "stage": stage.label,
            "percentage": stage.percentage,
            "bucket": decision.bucket,
            "version": decision.version,
        },
    )
