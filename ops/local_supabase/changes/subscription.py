"""Subscription: one binding of one channel's `postgres_changes`."""

from dataclasses import dataclass

from ops.local_supabase.changes.bindings import Binding
from ops.local_supabase.replication.pgoutput import Change
from ops.local_supabase.sockets.context import Subscriber


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """One binding of one channel; given twice, it is two. It keeps to its tables also when they are renamed."""

    channel: Subscriber
    id: int
    binding: Binding
    tables: frozenset[int]

    def wants(self, change: Change) -> bool:
        relation = change.relation
        if relation.oid in self.tables:
            return self.binding.wants_event(change.operation)
        return self.binding.wants(change.operation, relation.schema, relation.table)  # made since, or a partition
