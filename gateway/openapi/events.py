"""Events described, which are also the requests that we send."""

from typing import Any

from gateway.shapes.catalogue import KINDS, Kind
from gateway.v1.schemas.answers import LOG_ENTRY
from realtime_bridge.event_log.event import EventType

REF = "#/components/schemas/{model}"


def component_of(kind: Kind) -> str:
    """Return the name of an event type's schema: `MessageNewEvent`."""
    return f"{kind.type.title().replace('.', '')}Event"


def event_components() -> dict[str, Any]:
    """Return the named schemas of all events: each type, what each family holds, and any one of the log."""
    components: dict[str, Any] = {}
    for kind in KINDS:
        data = f"{kind.family.title()}EventData"
        components[data] = kind.data
        described = {"description": kind.description} | kind.schema_with({"$ref": REF.format(model=data)})
        components[component_of(kind)] = described
    logged = {kind.type: REF.format(model=component_of(kind)) for kind in KINDS if kind.type in set(EventType)}
    components[LOG_ENTRY] = {
        "description": "One event, with the body that webhooks have, too.",
        "oneOf": [{"$ref": reference} for reference in logged.values()],
        "discriminator": {"propertyName": "type", "mapping": logged},
    }
    return components
