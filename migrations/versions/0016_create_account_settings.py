"""Create account settings, names of users and of event types, and an index of keys with limits of their own."""

from migrations import sql

revision = "0016"
down_revision = "0015"

UP = """
-- What an account chose for itself; without a row everything is as it is by default.
create table public.chat_account_settings (
    account_id uuid primary key references auth.users (id) on delete cascade,
    content_html boolean not null default false,
    updated_at timestamptz not null default now()
);
comment on column public.chat_account_settings.content_html is 'Whether content is sent with its safe HTML form as well.';
alter table public.chat_account_settings enable row level security;
revoke all on public.chat_account_settings from anon, authenticated;

-- What a user calls himself, else the address up to its @; null for who has neither. Written by the user: text, no HTML.
create function crossfade.user_name(profile jsonb, email text) returns text
language sql immutable parallel safe as $$
    select left(coalesce(
        (
            select nullif(btrim(profile ->> field), '')
            from unnest(array['full_name', 'name', 'display_name', 'user_name']) with ordinality as said (field, place)
            where jsonb_typeof(profile -> field) = 'string' and btrim(profile ->> field) <> ''
            order by place
            limit 1
        ),
        nullif(split_part(email, '@', 1), '')
    ), 100)
$$;

-- Under which name an endpoint wants an event; null when it does not. The second ones are those of the first design, for
-- messages of one direction: who asks for the event by its own name as well is sent it by that.
create function crossfade.webhook_type(wanted text[], type text, direction text) returns text
language sql immutable parallel safe as $$
    select case
        when wanted && array[type, split_part(type, '.', 1) || '.*', '*'] then type
        when type <> 'message.new' then null
        when direction = 'incoming' and 'message.received' = any(wanted) then 'message.received'
        when direction = 'outgoing' and 'message.sent' = any(wanted) then 'message.sent'
    end
$$;
"""

DOWN = """
drop function crossfade.webhook_type(text[], text, text);
drop function crossfade.user_name(jsonb, text);
drop table public.chat_account_settings;
"""
STRONGEST = {
    # Read with every look at a key, several times a second: revoked keys stay for ever, and must not slow it down.
    "chat_api_keys_strongest": "public.chat_api_keys (user_id) include (rate_limit, send_rate_limit, expires_at)"
    " where revoked_at is null and (rate_limit is not null or send_rate_limit is not null)",
}


def upgrade() -> None:
    sql.run(UP)
    sql.create_indexes(STRONGEST)


def downgrade() -> None:
    sql.drop_indexes(STRONGEST)
    sql.run(DOWN)
