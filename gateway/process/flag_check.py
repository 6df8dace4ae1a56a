"""Trial of CROSSFADE_FLAG_PROVIDER before there are workers, so one sentence ends all. For gunicorn's configuration.

The provider is somebody else's code, with threads and connections of its own. So it is tried in a process that ends
with the answer: nothing of it is left in the master when workers are forked.
"""

import multiprocessing
from multiprocessing.connection import Connection

from gateway.settings import Settings
from realtime_bridge.rollout.dial import flag_source
from realtime_bridge.rollout.dial.errors import FlagProviderError
from realtime_bridge.shared.environment import ConfigurationError
from realtime_bridge.shared.variables import Provider

TIMEOUT_S = 30.0  # a provider that is not ready by then would hold up every worker


def check_flag_provider(settings: Settings) -> None:
    """Raise ConfigurationError for a provider that cannot be had; one that nobody will ask is not looked at."""
    if settings.provider is not Provider.ROLLOUT or settings.flag_provider is None:
        return
    context = multiprocessing.get_context("fork")  # settings are read, and no thread runs yet
    answers, answer = context.Pipe(duplex=False)
    process = context.Process(target=_try, args=(settings.flag_provider, answer), daemon=True)
    process.start()
    answer.close()
    try:
        sentence = answers.recv() if answers.poll(TIMEOUT_S) else f"{flag_source.VARIABLE}: it is not ready in time."
    except EOFError:
        sentence = f"{flag_source.VARIABLE}: it ended the process that loaded it."
    process.kill()
    process.join()
    if sentence is not None:
        raise ConfigurationError(sentence)


def _try(spec: str, answer: "Connection[str | None, None]") -> None:
    try:
        flag_source.load(spec)
    except FlagProviderError as error:
        answer.send(str(error))
    else:
        answer.send(None)
