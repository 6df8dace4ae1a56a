"""Create API keys: only a hash of each secret is kept."""

from migrations import sql

revision = "0003"
down_revision = "0002"

UP = """
create table public.chat_api_keys (
    id text primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    name text not null,
    env text not null,
    prefix text not null,
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    scopes text[] not null check (cardinality(scopes) > 0),
    rate_limit integer check (rate_limit > 0),
    send_rate_limit integer check (send_rate_limit > 0),
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
comment on column public.chat_api_keys.user_id is 'The account whose data the key opens.';
comment on column public.chat_api_keys.prefix is 'Start of the key, shown so that a person can tell keys apart.';
comment on column public.chat_api_keys.rate_limit is 'Requests per minute; null means the deployment''s default.';
create index chat_api_keys_account on public.chat_api_keys (user_id, created_at);

create function crossfade.announce_api_key() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform pg_notify('chat_api_keys', coalesce(new.id, old.id));
    return null;
end
$$;
-- Not on last_used_at: writing that down must not empty anybody's cache.
create trigger announce_api_key after delete or update of scopes, rate_limit, send_rate_limit, expires_at, revoked_at, secret_hash
    on public.chat_api_keys for each row execute function crossfade.announce_api_key();
"""

DOWN = """
drop table public.chat_api_keys;
drop function crossfade.announce_api_key();
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
