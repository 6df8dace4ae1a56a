-- name: read
select e.id, json_build_object(
    'type', e.type,
    'timestamp', crossfade.iso8601(e.created_at),
    'data', e.payload,
    'eventId', e.event_id,
    'seq', e.id,
    'conversationSeq', e.seq
)::text as body,
exists (
    select from public.chat_account_settings s where s.account_id = e.account_id and s.content_html
) as wants_html
from unnest(%(ids)s::bigint[], %(logged_at)s::timestamptz[]) as k (id, logged_at)
join public.chat_events e on e.id = k.id and e.created_at = k.logged_at
