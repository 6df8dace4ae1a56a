-- name: send
select realtime.send(%(payload)s::jsonb, %(event)s, %(topic)s, true)
