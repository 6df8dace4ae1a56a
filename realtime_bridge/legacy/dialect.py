"""What every dialect of legacy clients keeps to."""

from realtime_bridge.event_log.event import Event, EventType

CONVERSATION_EVENTS = frozenset(
    {EventType.CONVERSATION_NEW, EventType.CONVERSATION_UPDATED, EventType.CONVERSATION_ASSIGNED}
)


class DialectError(ValueError):
    """The event's payload cannot be said in this dialect; the text names the field."""


def is_listed(event: Event) -> bool:
    """Whether an event shows in the list of conversations, and so needs a card."""
    return event.type == EventType.MESSAGE_NEW or event.type in CONVERSATION_EVENTS
