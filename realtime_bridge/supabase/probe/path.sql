-- name: send
-- As the transport sends: a row, and no warning instead of an error.
insert into realtime.messages (topic, extension, payload, event, private)
values (%(topic)s, 'broadcast', %(payload)s::jsonb, %(event)s, true)
