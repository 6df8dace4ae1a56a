-- name: try_lock
-- Held until the transaction ends. Whoever does not get it knows that the first request is still under way.
select pg_try_advisory_xact_lock(%(lock)s)

-- name: try_hold
-- The same place, held by the session: for requests that no one transaction spans.
select pg_try_advisory_lock(%(lock)s)

-- name: let_go
select pg_advisory_unlock(%(lock)s)

-- name: find
-- A statement of its own, after the lock was had, so that it sees what the holder before committed.
select fingerprint, sealed_answer from idempotency_records
where id = %(id)s and created_at > now() - make_interval(hours => %(hours)s)

-- name: remember
-- What is older than it is kept for gives way.
insert into idempotency_records (id, fingerprint, sealed_answer)
values (%(id)s, %(fingerprint)s, %(sealed_answer)s)
on conflict (id) do update set
    fingerprint = excluded.fingerprint, sealed_answer = excluded.sealed_answer, created_at = now()
