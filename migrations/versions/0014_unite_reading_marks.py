"""Move reading marks in one place, for REST and legacy clients alike: mark, unread count and event belong together."""

from migrations import sql

revision = "0014"
down_revision = "0013"

UP = """
-- Notes that somebody has read up to a seq. It never goes back and never past the newest. What anybody but a client has
-- read is read for the account: read_seq and unread_count follow. Whether anything changed; null for who takes no part.
create function crossfade.mark_read(conversation bigint, reader uuid, upto bigint) returns boolean
language plpgsql set search_path = '' as $$
declare
    known public.conversations;
    mark public.conversation_participants;
    new_event uuid := gen_random_uuid();
begin
    -- Who takes no part keeps nobody waiting; who was let out while this waited is seen by the second look.
    select c.* into known from public.conversations c
    where c.id = conversation and exists (
        select from public.conversation_participants p where p.conversation_id = c.id and p.user_id = reader
    )
    for no key update;
    if not found then
        return null;
    end if;
    select p.* into mark from public.conversation_participants p
    where p.conversation_id = conversation and p.user_id = reader;
    if not found then
        return null;
    end if;
    upto := least(upto, known.last_seq);
    if upto <= mark.last_read_seq then
        return false;
    end if;
    update public.conversation_participants p set last_read_seq = upto
    where p.conversation_id = conversation and p.user_id = reader;
    if mark.role <> 'client' and upto > known.read_seq then
        known.unread_count := greatest(0, known.unread_count - (
            select count(*) from public.chat_messages m
            where m.conversation_id = conversation and m.seq > known.read_seq and m.seq <= upto
                and crossfade.is_unread(m, known.read_seq)
        ));
        known.read_seq := upto;
    end if;
    update public.conversations c
    set last_seq = c.last_seq + 1, unread_count = known.unread_count, read_seq = known.read_seq,
        updated_at = clock_timestamp()
    where c.id = conversation returning c.* into known;
    insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
    values (new_event, known.user_id, known.id, known.last_seq, 'conversation.updated',
        crossfade.conversation_payload(known, new_event, known.last_seq)
            || jsonb_build_object('participants', crossfade.participants_json(known.id)), known.updated_at);
    return true;
end
$$;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run("drop function crossfade.mark_read(bigint, uuid, bigint)")
