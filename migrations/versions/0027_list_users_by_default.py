"""Let accounts name only listed users until the project says otherwise, here and nowhere else."""

from migrations import sql

revision = "0027"
down_revision = "0026"

UP = """
comment on table public.chat_settings is
    'account_users: listed or everybody, by `crossfade users scope`; no row: listed.';

create or replace function crossfade.belongs(account uuid, person uuid) returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select person = account
        or exists (
            select from auth.users u where u.id = person and u.raw_app_meta_data -> 'chat_accounts' ? account::text
        )
        or exists (select from public.chat_settings s where s.name = 'account_users' and s.value = 'everybody')
$$;

-- The same rule again, because this is asked for each row: a call of the other takes five times as long.
create or replace function crossfade.is_participant(conversation bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from public.conversation_participants p
        join public.conversations c on c.id = p.conversation_id
        where p.conversation_id = conversation and p.user_id = (select auth.uid()) and (
            c.user_id = p.user_id
            or exists (
                select from auth.users u
                where u.id = p.user_id and u.raw_app_meta_data -> 'chat_accounts' ? c.user_id::text
            )
            or exists (select from public.chat_settings s where s.name = 'account_users' and s.value = 'everybody')
        )
    )
$$;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    """They stay: gateways of the version before write the row that they ask for."""
