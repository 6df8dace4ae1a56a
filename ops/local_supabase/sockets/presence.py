"""Presence in a channel: entries by key, and the diffs of them. Everybody in the topic gets those."""

import base64
import secrets
from dataclasses import dataclass
from typing import Any

from ops.local_supabase.sockets.hub import Hub, Key, Listener
from ops.local_supabase.wire.messages import TextFanout


class PresenceFanout(TextFanout):
    """A presence_diff; channels look at their presence permission before they pass it on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one channel tracks: its payload, and the meta others see."""

    key: str
    payload: dict[str, Any]
    meta: dict[str, Any]


class Presence:
    """Presence of all topics of this endpoint."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._topics: dict[Key, dict[Listener, Entry]] = {}

    def track(self, topic: Key, channel: Listener, key: str, payload: dict[str, Any]) -> None:
        """Add or update the channel's entry; an identical payload changes nothing."""
        entries = self._topics.setdefault(topic, {})
        before = entries.get(channel)
        if before is not None and before.payload == payload:
            return
        meta: dict[str, Any] = {"phx_ref": base64.urlsafe_b64encode(secrets.token_bytes(12)).decode()}
        if before is not None:
            meta["phx_ref_prev"] = before.meta["phx_ref"]
        entry = Entry(key, payload, {**meta, **payload})
        entries[channel] = entry
        self._publish(topic, joins=entry, leaves=before)

    def untrack(self, topic: Key, channel: Listener) -> None:
        """Remove the channel's entry, if it has one."""
        entries = self._topics.get(topic)
        entry = entries.pop(channel, None) if entries else None
        if not entries:
            self._topics.pop(topic, None)
        if entry is not None:
            self._publish(topic, joins=None, leaves=entry)

    def state(self, topic: Key) -> dict[str, Any]:
        """Everybody in the topic, by key."""
        found: dict[str, Any] = {}
        for entry in self._topics.get(topic, {}).values():
            found.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)
        return found

    def _publish(self, topic: Key, *, joins: Entry | None, leaves: Entry | None) -> None:
        private, name = topic
        diff = {"joins": _by_key(joins), "leaves": _by_key(leaves)}
        self._hub.publish(private, name, PresenceFanout(f"realtime:{name}", "presence_diff", diff))


def _by_key(entry: Entry | None) -> dict[str, Any]:
    return {} if entry is None else {entry.key: {"metas": [entry.meta]}}
