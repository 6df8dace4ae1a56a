-- name: claim
-- The clock is the database's own: bridges on different machines need not agree on the time. Failures are a bridge's own:
-- its successor may reach what it could not, and the dial's gate must not turn back for a bridge that is gone.
update public.relay_cursors
set lease_owner = %(owner)s,
    breaker = case when lease_owner = %(owner)s then breaker else 'closed' end,
    consecutive_failures = case when lease_owner = %(owner)s then consecutive_failures else 0 end,
    retry_at = case when lease_owner = %(owner)s then retry_at end,
    waiting_for = null,
    lease_token = lease_token + 1,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
    updated_at = clock_timestamp()
where sink = %(sink)s and (lease_until < clock_timestamp() or lease_owner = %(owner)s)
returning lease_token, high_water, holes, heard, delivered_count

-- name: renew
update public.relay_cursors
set lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
where sink = %(sink)s and lease_token = %(token)s
returning sink

-- name: release
-- The time stays: retention waits for whom somebody held not long ago.
update public.relay_cursors
set lease_until = clock_timestamp(), lease_owner = null
where sink = %(sink)s and lease_token = %(token)s

-- name: move
-- The token is the fence: a relay that lost its lease while it was delivering moves nothing.
update public.relay_cursors
set high_water = %(high_water)s,
    holes = %(holes)s,
    heard = %(heard)s,
    sent_again = sent_again + %(again)s,
    sent_again_at = case when %(again)s > 0 then clock_timestamp() else sent_again_at end,
    delivered_count = delivered_count + %(delivered)s,
    last_delivered_at = case when %(delivered)s > 0 then clock_timestamp() else last_delivered_at end,
    updated_at = clock_timestamp()
where sink = %(sink)s and lease_token = %(token)s
returning sink, case when %(is_repeatable)s then set_config('synchronous_commit', 'off', true) end

-- name: report
-- What `crossfade relay status` shows of a sink's health. A failure is announced: the dial's gate does not wait for it.
with reported as (
    update public.relay_cursors
    set breaker = %(breaker)s,
        consecutive_failures = %(failures)s,
        retry_at = case when %(retry_in_s)s::float8 is null then null
            else clock_timestamp() + make_interval(secs => %(retry_in_s)s::float8) end,
        waiting_for = %(waiting_for)s,
        last_error = coalesce(%(error)s, last_error),
        last_error_at = case when %(error)s::text is null then last_error_at else clock_timestamp() end,
        updated_at = clock_timestamp()
    where sink = %(sink)s and lease_token = %(token)s
    returning sink
)
select pg_notify('sink_failures', sink) from reported where %(failures)s > 0

-- name: ensure
-- A sink that is new to this database starts at the end of the log: history is not news.
insert into public.relay_cursors (sink, high_water)
select %(sink)s, coalesce((select max(id) from public.chat_events), 0)
on conflict (sink) do nothing
