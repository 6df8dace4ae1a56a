-- name: insert_probe
-- As ourselves: two rows nobody else will ever see, for the caller's SELECT policies to accept or hide.
insert into realtime.messages (topic, extension, private)
select %(topic)s, extension, true
from unnest(%(extensions)s::text[]) as extension
returning id

-- name: become_caller
-- From here to the rollback every statement runs under the caller's role, claims and topic.
select
    set_config('realtime.topic', %(topic)s, true),
    set_config('request.jwt.claims', %(claims)s, true),
    set_config('request.jwt.claim.sub', %(subject)s, true),
    set_config('request.jwt.claim.role', %(role)s, true),
    set_config('request.headers', '{}', true),
    set_config('role', %(role)s, true)

-- name: readable_extensions
select extension
from realtime.messages
where id = any (%(ids)s::uuid[])

-- name: try_write
insert into realtime.messages (topic, extension, private)
values (%(topic)s, %(extension)s, true)
