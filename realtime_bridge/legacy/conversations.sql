-- name: find_place
-- The newest event's number and whose conversation it is, for a member only: a stranger, somebody whom the account may
-- not name any more, a token from before an eviction and an unknown id get the same answer, no row.
-- Whoever has sockets at another bridge may have lost them with it: what lies between what that bridge had told for sure
-- (`heard`) and what the sink will not tell again is then his to hear, if the death was not long ago (a minute of what
-- was delivered since) and nothing older than 2,000 events. For all others it is one look at their rows.
select c.last_seq, c.user_id as account_id, lost.after_seq, lost.told_seq
from public.conversations c
left join lateral (
    select min(r.heard) as heard, min(s.high_water) as high_water
    from public.legacy_listeners l
    join public.bridge_reports r on r.bridge = l.bridge
    join public.relay_cursors s on s.sink = 'legacy'
    where l.user_id = %(user_id)s and l.sockets > 0 and l.bridge <> %(bridge)s
        and r.seen_at > coalesce(s.last_delivered_at, r.seen_at) - interval '1 minute'
        and not exists ( -- back by now, at a bridge that has started since
            select from public.legacy_listeners n join public.bridge_reports b on b.bridge = n.bridge
            where n.user_id = l.user_id and n.bridge <> %(bridge)s and n.sockets >= l.sockets and b.started_at > r.seen_at
        )
) as died on true
left join lateral (
    select coalesce(max(e.seq) filter (where e.id <= died.heard), min(e.seq) - 1) as after_seq,
        max(e.seq) as told_seq
    from (
        select e.seq, e.id from public.chat_events e
        where e.conversation_id = c.id and e.id <= died.high_water and died.heard is not null
        order by e.seq desc limit 2001
    ) as e
) as lost on true
where c.id = %(conversation_id)s and crossfade.takes_part(c.id, %(user_id)s, to_timestamp(%(issued_at)s))

-- name: read_events
-- What a reconnecting client missed, oldest first, as the relay would have read it.
select
    e.id, e.event_id, e.account_id, e.conversation_id, e.seq, e.type, e.payload::text as payload, e.origin,
    case when e.created_at between '0001-01-02' and '9999-12-30' then e.created_at end as created_at,
    array(
        select p.user_id from public.conversation_participants p
        where p.conversation_id = e.conversation_id order by p.user_id
    ) as participants,
    exists (
        select from public.chat_account_settings s where s.account_id = e.account_id and s.content_html
    ) as wants_html
from public.chat_events e
where e.conversation_id = %(conversation_id)s and e.seq > %(after_seq)s
    and (select crossfade.takes_part(%(conversation_id)s, %(user_id)s, to_timestamp(%(issued_at)s)))
order by e.seq
limit %(limit)s
