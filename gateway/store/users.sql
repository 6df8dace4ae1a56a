-- name: find_unknown_users
-- Which of these ids the account may not name: nobody has them, or the project has not said that they belong to it.
-- The canary is nobody, also where everybody may be named.
-- Only the project (never a user, never a key) writes app_metadata, so nobody can let himself be named, or name others.
select u.id from unnest(%(user_ids)s::uuid[]) as u (id)
where not exists (
    select from auth.users person
    where person.id = u.id and person.id <> %(canary_id)s and (
        %(everybody)s
        or person.id = %(account_id)s
        or person.raw_app_meta_data -> 'chat_accounts' ? %(account_id)s::text
    )
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
update auth.users as person
set raw_app_meta_data = person.raw_app_meta_data || jsonb_build_object(
    'chat_accounts', ('[]'::jsonb || (person.raw_app_meta_data -> 'chat_accounts')) - %(account_id)s::text
)
where person.raw_app_meta_data -> 'chat_accounts' ? %(account_id)s::text
    and (person.id::text = any(%(names)s::text[]) or lower(person.email) = any(%(names)s::text[]))
returning id, email

-- name: list_users
select id, email from auth.users
where raw_app_meta_data -> 'chat_accounts' ? %(account_id)s::text
order by email, id
