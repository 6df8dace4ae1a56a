-- name: find_channel
select id, user_id as account_id, name, provider_user_id, sealed_hmac_key
from chat_channels
where id = %(channel_id)s and enabled and kind = 'wuzapi'

-- name: is_known
select true from chat_channel_messages
where channel_id = %(channel_id)s and provider_message_id = %(provider_message_id)s

-- name: find_conversation
-- By any of the contact's addresses; the first one that leads somewhere decides.
select conversation_id from chat_channel_contacts
where channel_id = %(channel_id)s and jid = any(%(jids)s::text[])
order by array_position(%(jids)s::text[], jid)
limit 1

-- name: lock_channel
-- Two messages of a new contact arrive at once, for WUZAPI keeps no order: one of them makes the conversation.
select id from chat_channels where id = %(channel_id)s for no key update

-- name: find_named_conversation
-- One that the API created, with the number as people write it.
select id from conversations
where user_id = %(account_id)s and channel = %(channel)s and contact_jid = any(%(spellings)s::text[])
order by id desc
limit 1

-- name: link_contacts
insert into chat_channel_contacts (channel_id, jid, conversation_id)
select %(channel_id)s, jid, %(conversation_id)s from unnest(%(jids)s::text[]) as jid
on conflict (channel_id, jid) do nothing

-- name: remember
-- No row comes back when the message was here before; a repeat that runs at the same time waits here for the first one.
insert into chat_channel_messages (channel_id, provider_message_id, conversation_id)
values (%(channel_id)s, %(provider_message_id)s, %(conversation_id)s)
on conflict (channel_id, provider_message_id) do nothing
returning true

-- name: find_quoted
select message_id from chat_channel_messages
where channel_id = %(channel_id)s and provider_message_id = %(quoted_id)s and conversation_id = %(conversation_id)s

-- name: name_message
-- A text in several parts is known by its first.
update chat_channel_messages set message_id = %(message_id)s
where channel_id = %(channel_id)s and provider_message_id = %(provider_message_id)s and message_id is null

-- name: find_targets
-- The message that the provider calls so, all of its parts, as long as it is there.
select m.conversation_id, m.id, m.direction, m.sender_id
from chat_channel_messages known
join chat_messages named on named.id = known.message_id
join chat_messages m on m.conversation_id = named.conversation_id
    and (m.id = named.id or m.provider_message_id = known.provider_message_id)
where known.channel_id = %(channel_id)s and known.provider_message_id = %(target_id)s and m.deleted_at is null
order by m.seq

-- name: append_statuses
-- In seq order; ids that are not known, and news that is old, move nothing.
select moving.conversation_id, crossfade.append_provider_status(moving.id, %(status)s, null, null, %(origin)s) as moved
from (
    select m.id, m.conversation_id
    from chat_channel_messages known
    join chat_messages m on m.id = known.message_id
    where known.channel_id = %(channel_id)s and known.provider_message_id = any(%(message_ids)s::text[])
        and m.direction = %(direction)s
    order by m.conversation_id, m.seq
) as moving
