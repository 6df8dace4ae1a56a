"""Index the log by the transaction that wrote each event, without keeping writers out."""

from alembic import op

from migrations import sql

revision = "0009"
down_revision = "0008"

PARTITIONS_WITHOUT = """
select t.relname from pg_catalog.pg_inherits i join pg_catalog.pg_class t on t.oid = i.inhrelid
where i.inhparent = 'public.chat_events'::regclass and not exists (
    select from pg_catalog.pg_index x join pg_catalog.pg_inherits attached on attached.inhrelid = x.indexrelid
    where x.indrelid = t.oid and attached.inhparent = 'public.chat_events_writer'::regclass
)
"""


def upgrade() -> None:
    """A partitioned table's own index cannot be built concurrently; each partition's can, and is attached then."""
    with op.get_context().autocommit_block():
        sql.run("create index if not exists chat_events_writer on only public.chat_events (account_id, xid)")
        names = [str(name) for (name,) in op.get_bind().exec_driver_sql(PARTITIONS_WITHOUT)]
        for name in names:
            sql.run(f"drop index concurrently if exists crossfade.{name}_writer")
            sql.run(f"create index concurrently {name}_writer on crossfade.{name} (account_id, xid)")
            sql.run(f"alter index public.chat_events_writer attach partition crossfade.{name}_writer")


def downgrade() -> None:
    sql.run("drop index public.chat_events_writer")
