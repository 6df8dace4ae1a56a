-- name: add
-- The database's clock names the slot, so that all writers and the gate keeper mean the same one.
insert into public.parity_windows as w (
    flag, side, window_start, sent_count, seen_count, lost_count, repeated_count, reordered_count, attempt_count,
    error_count, consecutive_failures, latency_counts, missed_count, rate_per_s, delivered_counts, lag_counts
)
values (
    %(flag)s, %(side)s, date_bin(make_interval(secs => %(slot_s)s), clock_timestamp(), timestamptz '2020-01-01 00:00:00+00'),
    %(sent)s, %(seen)s, %(lost)s, %(repeated)s, %(reordered)s, %(attempts)s, %(errors)s, %(consecutive_failures)s,
    %(latency_counts)s::bigint[], %(missed)s, %(rate_per_s)s, %(delivered_counts)s::bigint[], %(lag_counts)s::bigint[]
)
on conflict (flag, side, window_start) do update set
    sent_count = w.sent_count + excluded.sent_count,
    seen_count = w.seen_count + excluded.seen_count,
    lost_count = w.lost_count + excluded.lost_count,
    repeated_count = w.repeated_count + excluded.repeated_count,
    reordered_count = w.reordered_count + excluded.reordered_count,
    attempt_count = w.attempt_count + excluded.attempt_count,
    error_count = w.error_count + excluded.error_count,
    consecutive_failures = greatest(w.consecutive_failures, excluded.consecutive_failures),
    latency_counts = (
        select array_agg(coalesce(old, 0) + coalesce(new, 0) order by position)
        from unnest(w.latency_counts, excluded.latency_counts) with ordinality as both_counts (old, new, position)
    ),
    delivered_counts = (
        select array_agg(coalesce(old, 0) + coalesce(new, 0) order by position)
        from unnest(w.delivered_counts, excluded.delivered_counts) with ordinality as both_counts (old, new, position)
    ),
    lag_counts = (
        select array_agg(coalesce(old, 0) + coalesce(new, 0) order by position)
        from unnest(w.lag_counts, excluded.lag_counts) with ordinality as both_counts (old, new, position)
    ),
    missed_count = w.missed_count + excluded.missed_count,
    rate_per_s = greatest(w.rate_per_s, excluded.rate_per_s),
    updated_at = clock_timestamp()

-- name: read
-- Only slots that are over, and have been for long enough that a writer who began in one has committed.
select side, window_start, sent_count as sent, seen_count as seen, lost_count as lost, repeated_count as repeated,
    reordered_count as reordered, attempt_count as attempts, error_count as errors, consecutive_failures, latency_counts,
    missed_count as missed, rate_per_s, delivered_counts, lag_counts
from public.parity_windows
where flag = %(flag)s and window_start >= %(since)s
    and window_start + make_interval(secs => %(slot_s)s + %(grace_s)s) <= clock_timestamp()
order by window_start, side

-- name: forget
delete from public.parity_windows where window_start < now() - make_interval(days => %(days)s)
