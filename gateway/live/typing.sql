-- name: publish_unstored
-- At most 8,000 bytes, of which a sign takes some 400.
select pg_notify(%(channel)s, %(sign)s)
