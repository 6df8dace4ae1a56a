"""Indexes that a crash left half built, built again. Run by `migrations.env` after the versions, under the lock."""

import re
from collections.abc import Callable

from sqlalchemy import Connection

# Ours in `public`, where a project has its own, too, some of them named alike; all of the schema `crossfade` is ours.
_NAMES = """
bridge_reports legacy_listeners parity_windows parked_events relay_cursors idempotency_records
conversations conversation_participants chat_messages chat_message_versions chat_attachments chat_events
chat_account_settings chat_api_keys chat_evictions chat_settings
chat_channels chat_channel_contacts chat_channel_messages chat_channel_sends
chat_external_webhooks webhook_attempts webhook_deliveries webhook_notices webhook_queues webhook_secrets
rollout_approvals rollout_audit rollout_keepers rollout_operators rollout_overrides rollout_plans rollout_sessions
rollout_stages rollout_windows
"""
TABLES = _NAMES.split()

_COPY = re.compile(r"_cc(new|old)\d*\"?$")  # what Postgres calls the copies of `reindex concurrently`

# A partitioned index has no rows of its own: it is valid once each of its parts is attached. One that an operator
# builds just now is not valid yet, and none of our business.
_UNFIT = """
select format('%%I.%%I', n.nspname, c.relname)
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid and c.relkind = 'i'
join pg_catalog.pg_class t on t.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = t.relnamespace
where not (i.indisvalid and i.indisready)
    and (n.nspname = 'crossfade' or n.nspname = 'public' and t.relname = any (%(tables)s))
    and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid)
    and not exists (select from pg_catalog.pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
order by 1
"""


def rebuild_indexes(connection: Connection, say: Callable[[str], None]) -> int:
    """Build every unfit index anew without keeping writers out; return how many there were.

    A database that says it is up to date can have one: a run of an earlier release that lost a race left it behind. It
    keeps its name until the new one takes its place, so a run that is cut off here leaves it for the next to find, and
    beside it the half-built copy, which only goes.
    """
    unfit = connection.exec_driver_sql(_UNFIT, {"tables": TABLES}).scalars().all()
    connection.commit()
    if not unfit:
        return 0
    outside = connection.execution_options(isolation_level="AUTOCOMMIT")
    outside.exec_driver_sql("set lock_timeout = 0")  # what works concurrently waits for all others, and blocks none
    for name in unfit:
        if _COPY.search(name):
            outside.exec_driver_sql(f"drop index concurrently if exists {name}")
            continue
        say(f"Building {name} again: an earlier run was cut off while it built it.")
        outside.exec_driver_sql(f"reindex index concurrently {name}")
    return len(unfit)
