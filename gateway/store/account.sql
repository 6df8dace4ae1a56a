-- name: find
-- What an account chose, or what holds as long as it has not.
select u.id, coalesce(s.content_html, false) as content_html, s.updated_at
from auth.users u
left join public.chat_account_settings s on s.account_id = u.id
where u.id = %(account_id)s

-- name: store
insert into public.chat_account_settings as s (account_id, content_html)
values (%(account_id)s, %(content_html)s)
on conflict (account_id) do update
set content_html = excluded.content_html, updated_at = clock_timestamp()
where s.content_html <> excluded.content_html
