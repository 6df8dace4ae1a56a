"""Flag providers as others would write them: good, wrong, and broken."""

import os

from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider


def everybody() -> InMemoryProvider:
    """Tells everybody Supabase."""
    return _always("supabase")


def nonsense() -> InMemoryProvider:
    """Answers with a word that is no provider."""
    return _always("carrier-pigeon")


def empty() -> InMemoryProvider:
    """Does not know our flag."""
    return InMemoryProvider({})


def failing() -> InMemoryProvider:
    """Raises on every question."""

    class Failing(InMemoryProvider):  # type: ignore[misc]  # see pyproject.toml
        def resolve_string_details(self, *_: object, **__: object) -> FlagResolutionDetails[str]:
            raise RuntimeError("no answer")

    return Failing({})


def broken() -> InMemoryProvider:
    """Cannot even be made."""
    raise RuntimeError("no licence")


def leaving() -> InMemoryProvider:
    """Takes the process with it."""
    os._exit(0)


def no_provider() -> str:
    """Is something else."""
    return "a string"


def _always(value: str) -> InMemoryProvider:
    return InMemoryProvider({"chat_realtime_provider": InMemoryFlag("on", {"on": value})})
