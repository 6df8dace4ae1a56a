"""Take the chat tables out of Realtime's publication: it tells every client of each deleted row, whoever reads it."""

from migrations import sql

revision = "0023"
down_revision = "0022"

UP = """
-- Row level security cannot be asked for a row that is gone, so Realtime shows its key to everybody who listens, and what a
-- publication publishes holds for all of its tables, also those that are not ours. Only what is ours is taken out.
do $$
declare
    known regclass;
begin
    for known in
        select r.prrelid from pg_catalog.pg_publication_rel r
        join pg_catalog.pg_publication p on p.oid = r.prpubid and p.pubname = 'supabase_realtime'
        where r.prrelid in (
            'public.conversations'::regclass, 'public.conversation_participants'::regclass, 'public.chat_messages'::regclass
        )
    loop
        execute format('alter publication supabase_realtime drop table %s', known);
    end loop;
end
$$;
"""
DOWN = """
alter publication supabase_realtime add table public.conversations, public.conversation_participants, public.chat_messages;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
