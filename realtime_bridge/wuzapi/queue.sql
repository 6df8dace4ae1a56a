-- name: append
-- The provider's id for a message is made from its event's: the same however often the event is delivered, and known
-- before the first try, so that a receipt finds its message and a repeat is recognised. Ends in 18 hex digits, as
-- WhatsApp's own ids do.
with addressed as (
    select event.message_id, event.conversation_id, event.seq, channel.id as channel_id,
        '3EB0' || upper(right(replace(event.event_id::text, '-', ''), 18)) as provider_message_id
    from unnest(%(message_ids)b::bigint[], %(conversation_ids)b::bigint[], %(seqs)b::bigint[], %(event_ids)b::uuid[])
        as event (message_id, conversation_id, seq, event_id)
    join public.chat_messages m on m.id = event.message_id
    join public.conversations c on c.id = event.conversation_id
    join public.chat_channels channel on channel.user_id = c.user_id and channel.name = c.channel
), named as (
    insert into public.chat_channel_messages (channel_id, provider_message_id, conversation_id, message_id)
    select channel_id, provider_message_id, conversation_id, message_id from addressed
    on conflict (channel_id, provider_message_id) do nothing
), queued as (
    insert into public.chat_channel_sends (message_id, channel_id, conversation_id, seq, provider_message_id)
    select message_id, channel_id, conversation_id, seq, provider_message_id from addressed
    on conflict (message_id) do nothing
)
select message_id from addressed

-- name: claim
-- Only the oldest waiting message of a conversation is ever taken, so a conversation stays in order and one that fails
-- holds up no other. A failing channel is tried with one message at a time. Accounts take turns, each up to its share.
with found as materialized (
    select found.message_id, found.next_at, room.slots,
        row_number() over (partition by channel.user_id order by found.next_at, found.message_id) as turn
    from public.chat_channels channel
    left join unnest(%(accounts)s::uuid[], %(account_slots)s::integer[]) as share (account_id, slots)
        on share.account_id = channel.user_id
    cross join lateral (select coalesce(share.slots, %(newcomer_slots)s) as slots) as room
    cross join lateral (
        select s.message_id, s.next_at
        from public.chat_channel_sends s
        where s.channel_id = channel.id and s.state = 'queued' and s.next_at <= clock_timestamp()
            and not exists (
                select from public.chat_channel_sends earlier
                where earlier.conversation_id = s.conversation_id and earlier.state = 'queued' and earlier.seq < s.seq
            )
        order by s.next_at, s.message_id
        limit least(room.slots, case when channel.consecutive_failures > 0 then 1 else %(per_channel)s end)
        for update of s skip locked
    ) as found
    where channel.enabled and coalesce(channel.retry_at <= clock_timestamp(), true)
        and channel.id <> all(%(busy)s::uuid[])
), due as (
    select message_id from found where turn <= slots order by turn, next_at limit %(limit)s
)
update public.chat_channel_sends s
set attempts = s.attempts + 1, next_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
from due, public.chat_channels channel, public.conversations c, public.chat_messages m
where s.message_id = due.message_id and channel.id = s.channel_id and c.id = s.conversation_id and m.id = s.message_id
returning s.message_id, channel.user_id as account_id, s.channel_id, channel.base_url, channel.sealed_token, m.content, m.message_type,
    m.deleted_at is not null as is_deleted, s.provider_message_id, s.attempts, s.created_at,
    -- A phone number is preferred to a LID, which not every server can send to.
    coalesce((
        select known.jid from public.chat_channel_contacts known
        where known.conversation_id = s.conversation_id and known.channel_id = s.channel_id
            and known.jid like '%%@s.whatsapp.net'
        order by known.jid limit 1
    ), c.contact_jid) as recipient

-- name: settle_sent
with settled as (
    update public.chat_channel_sends set state = 'sent', settled_at = clock_timestamp(), last_error = null
    where message_id = %(message_id)s and attempts = %(attempts)s and state = 'queued'
    returning message_id
), healed as (
    update public.chat_channels set consecutive_failures = 0, retry_at = null, updated_at = clock_timestamp()
    where id = %(channel_id)s and consecutive_failures > 0
)
select crossfade.append_provider_status(message_id, 'sent', %(provider_message_id)s, null, %(origin)s) from settled

-- name: settle_failed
with settled as (
    update public.chat_channel_sends set state = 'failed', settled_at = clock_timestamp(), last_error = %(reason)s
    where message_id = %(message_id)s and attempts = %(attempts)s and state = 'queued'
    returning message_id
)
select crossfade.append_provider_status(message_id, 'failed', null, %(reason)s, %(origin)s) from settled

-- name: settle_cancelled
update public.chat_channel_sends set state = 'cancelled', settled_at = clock_timestamp()
where message_id = %(message_id)s and attempts = %(attempts)s and state = 'queued'

-- name: forget_settled
-- They are kept for a while so that an event that is delivered again does not queue its message again.
delete from public.chat_channel_sends
where message_id in (
    select message_id from public.chat_channel_sends
    where state <> 'queued' and settled_at < clock_timestamp() - make_interval(days => %(keep_days)s)
    limit %(at_most)s
)

-- name: put_back
with waiting as (
    update public.chat_channel_sends
    set next_at = clock_timestamp() + make_interval(secs => %(wait_s)s), last_error = %(reason)s
    where message_id = %(message_id)s and attempts = %(attempts)s and state = 'queued'
    returning channel_id
)
update public.chat_channels channel set
    consecutive_failures = channel.consecutive_failures + 1,
    retry_at = clock_timestamp() + make_interval(secs => %(rest_s)s),
    last_error = %(reason)s,
    last_error_at = clock_timestamp(),
    updated_at = clock_timestamp()
from waiting where channel.id = waiting.channel_id
