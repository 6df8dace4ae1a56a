-- name: find_unknown_users
-- Which of these ids the account may not name: nobody has them, or the project has not said that they belong to it.
-- The canary is nobody, also where everybody may be named.
-- Only the project (never a user, never a key) writes app_metadata, so nobody can let himself be named, or name others.
select u.id from unnest(%(user_ids)s::uuid[]) as u (id)
where not exists (
    select from auth.users person
    where person.id = u.id and person.id <> %(canary_id)s and crossfade.belongs(%(account_id)s, person.id)
)

-- name: find_account
select id from auth.users where id = %(account_id)s and id <> %(canary_id)s

-- name: allow_users
-- By id or address; what else app_metadata holds stays. A single id that somebody wrote without a list becomes one.
update auth.users as person
set raw_app_meta_data = coalesce(person.raw_app_meta_data, '{}') || jsonb_build_object(
    'chat_accounts',
    (('[]'::jsonb || coalesce(person.raw_app_meta_data -> 'chat_accounts', '[]')) - %(account_id)s::text)
        || to_jsonb(%(account_id)s::text)
)
where person.id <> %(canary_id)s
    and (person.id::text = any(%(names)s::text[]) or lower(person.email) = any(%(names)s::text[]))
returning id, email

-- name: forbid_users
-- Whom the account may name, and whoever takes part without being listed (where everybody may be named).
update auth.users as person
set raw_app_meta_data = coalesce(person.raw_app_meta_data, '{}') || jsonb_build_object(
    'chat_accounts',
    ('[]'::jsonb || coalesce(person.raw_app_meta_data -> 'chat_accounts', '[]')) - %(account_id)s::text
)
where person.id <> %(account_id)s
    and (person.id::text = any(%(names)s::text[]) or lower(person.email) = any(%(names)s::text[]))
    and (
        person.raw_app_meta_data -> 'chat_accounts' ? %(account_id)s::text
        or exists (
            select from conversation_participants p join conversations c on c.id = p.conversation_id
            where p.user_id = person.id and c.user_id = %(account_id)s
        )
    )
returning id, email

-- name: end_membership
-- Out of some of the account's conversations, row and event together; how many.
select crossfade.end_membership(%(account_id)s, %(user_id)s, %(at_most)s)

-- name: forget_session
delete from rollout_sessions where user_id = %(user_id)s and account_id = %(account_id)s

-- name: close_sockets
-- Every bridge closes the user's sockets once; they come back, and ask for access anew. What an eviction ended stays so.
insert into chat_evictions (user_id, closed_at) values (%(user_id)s, clock_timestamp())
on conflict (user_id) do update set closed_at = excluded.closed_at

-- name: evict_user
-- And tokens that were signed until now, the second under way included, open nothing any more.
insert into chat_evictions (user_id, closed_at, ended_at)
values (%(user_id)s, clock_timestamp(), date_trunc('second', clock_timestamp()) + interval '1 second')
on conflict (user_id) do update set closed_at = excluded.closed_at, ended_at = excluded.ended_at

-- name: find_users
select id, email from auth.users
where id::text = any(%(names)s::text[]) or lower(email) = any(%(names)s::text[])
order by email, id

-- name: find_session_end
-- Until when the last token that we gave this user lives.
select max(expires_at) from rollout_sessions where user_id = %(user_id)s and expires_at > now()

-- name: set_scope
insert into chat_settings (name, value) values ('account_users', %(scope)s)
on conflict (name) do update set value = excluded.value

-- name: get_scope
select value from chat_settings where name = 'account_users'

-- name: list_users
select id, email from auth.users
where raw_app_meta_data -> 'chat_accounts' ? %(account_id)s::text
order by email, id
