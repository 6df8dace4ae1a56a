-- name: is_written
select exists (select from public.chat_events where account_id = %(account_id)s) as written

-- name: make_past_partitions
-- Those of the last four weeks, which a log that has run so long would have.
do $$
declare
    first_day date := date_trunc('week', now() at time zone 'utc')::date;
begin
    for week in 1..4 loop
        execute format('create table if not exists crossfade.%I partition of public.chat_events for values from (%L) to (%L)',
            'chat_events_' || to_char(first_day - week * 7, 'YYYY_MM_DD'),
            (first_day - week * 7)::timestamp at time zone 'utc', (first_day - week * 7 + 7)::timestamp at time zone 'utc');
    end loop;
end
$$

-- name: find_ids
select min(m.id), max(m.id) from public.chat_messages m where m.account_id = %(account_id)s

-- name: append_batch
-- The event of each message, in the order of the log and spread evenly over the last four weeks; one in `every` is rare.
insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
select m.event_id, m.account_id, m.conversation_id, m.seq,
    case when m.id %% %(every)s = 0 then %(rare)s else 'message.new' end,
    crossfade.message_payload(m, m.event_id, m.seq),
    now() - interval '27 days' * (%(last)s - m.id) / greatest(1, %(last)s - %(first)s)
from public.chat_messages m
where m.account_id = %(account_id)s and m.id > %(after)s and m.id <= %(upto)s
order by m.id

-- name: refresh_statistics
vacuum (analyze) public.chat_events
