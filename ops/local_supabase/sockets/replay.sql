-- name: recent_messages
-- The newest messages of a private topic. Rows of one transaction share inserted_at; ctid keeps their order.
select id, event, payload::text, binary_payload
from realtime.messages
where topic = %(topic)s
    and private
    and extension = 'broadcast'
    and inserted_at >= to_timestamp(%(since_s)s) at time zone 'utc'
    and inserted_at >= (now() at time zone 'utc') - interval '72 hours'
order by inserted_at desc, ctid
limit %(limit)s
