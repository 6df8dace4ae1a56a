-- name: find_account
select id from auth.users where id = %(account_id)s

-- name: make_text
-- Deterministic words for message `i` of conversation `n`, for this session only. The cube of an evenly spread number
-- makes early words frequent and late ones rare; the reference at the end is unique to its message.
create or replace function pg_temp.seed_text(n bigint, i bigint) returns text
language sql immutable parallel safe as $$
    select string_agg(
        words.list[1 + floor(power((hashint8extended(n * 1000003 + i * 101 + k, 7) & 1048575) / 1048576.0, 3)
            * cardinality(words.list))::integer],
        ' ' order by k
    ) || ' ref' || to_hex(n) || 'x' || to_hex(i)
    from (select string_to_array(
        'the to and a of is my for it you on in we with your not order this please have was can when but delivery hello '
        'thanks from still account are be do refund payment invoice address package late number email password change '
        'help product return customer service update shipping today tomorrow yesterday week card bank receipt size color '
        'broken missing wrong item box store phone call message reply agent ticket issue problem question answer wait '
        'cancel confirm booking date time delay driver route street city country tax price discount code coupon gift '
        'warranty repair battery screen cable charger manual setup install login error browser app version upgrade plan '
        'subscription renew trial feature report export import contact profile picture document contract signature '
        'lawyer insurance claim policy doctor appointment clinic medicine allergy flight luggage hotel room breakfast '
        'parking garden window door kitchen table chair lamp carpet paint winter summer spring autumn music concert '
        'museum library teacher school lesson exam grade river mountain island harbour ferry bridge tunnel railway '
        'platform conductor locomotive telescope astronomy quantum granite porcelain saffron cardamom marzipan tarragon',
        ' '
    ) as list) as words, generate_series(1, 5 + (hashint8extended(n * 31 + i, 3) & 15)::integer) as k
$$

-- name: append_batch
-- Conversations, their owner and their messages, in one statement. Every fourth conversation ends in up to three unread
-- incoming messages; in all others everything is read, so the counts agree with the rows.
with wanted as (
    select number, length,
        case when number %% 4 = 3 then least(length, 3) else 0 end as unread,
        now() - make_interval(secs => %(days)s * 86400.0 * number / %(conversations)s) as ends_at
    from unnest(%(numbers)s::bigint[], %(lengths)s::bigint[]) as wanted (number, length)
), conversation as (
    insert into public.conversations (user_id, contact_jid, contact_name, channel, status, priority, last_seq,
        last_message_at, last_message_preview, unread_count, read_seq, created_at, updated_at)
    select %(account_id)s, 'seed-' || number || '@example.com', 'Contact ' || number, 'api',
        (array['open', 'open', 'pending', 'resolved', 'open', 'resolved', 'snoozed', 'pending', 'open', 'resolved'])[
            1 + number %% 10],
        case when number %% 50 = 7 then 'urgent' when number %% 10 = 3 then 'high' when number %% 10 = 9 then 'low'
            else 'normal' end,
        length, case when length > 0 then ends_at end,
        case when length > 0 then left(pg_temp.seed_text(number, length), 100) end, unread, length - unread,
        ends_at - make_interval(mins => length::integer), ends_at
    from wanted
    returning id, contact_jid
), numbered as (
    select wanted.*, conversation.id
    from wanted join conversation on conversation.contact_jid = 'seed-' || wanted.number || '@example.com'
), people as (
    insert into public.conversation_participants (conversation_id, user_id, role, last_read_seq)
    select id, %(account_id)s, 'owner', length - unread from numbered
), message as (
    select numbered.*, seq, seq > length - unread or (hashint8extended(number * 7 + seq, 5) & 1) = 0 as is_incoming,
        ends_at - make_interval(mins => (length - seq)::integer) as sent_at
    from numbered cross join lateral generate_series(1, length) as seq
)
insert into public.chat_messages (conversation_id, account_id, seq, event_id, direction, content, status, created_at,
    updated_at)
select id, %(account_id)s, seq, gen_random_uuid(), case when is_incoming then 'incoming' else 'outgoing' end,
    pg_temp.seed_text(number, seq), case when seq > length - unread then 'delivered' else 'read' end, sent_at, sent_at
from message
order by id, seq

-- name: refresh_statistics
vacuum (analyze) public.conversations, public.conversation_participants, public.chat_messages
