"""Let what is due be found by account, for a claim whose cost does not grow with the endpoints that wait."""

from migrations import sql

revision = "0025"
down_revision = "0024"

UP = """
alter table public.webhook_queues add column account_id uuid;
update public.webhook_queues q set account_id = w.account_id
from public.chat_external_webhooks w where w.id = q.webhook_id;

-- A gateway of the version before does not say it.
create function crossfade.own_webhook_queue() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    select account_id into strict new.account_id from public.chat_external_webhooks where id = new.webhook_id;
    return new;
end $$;
revoke execute on function crossfade.own_webhook_queue() from public;
create trigger own_webhook_queue before insert on public.webhook_queues
    for each row execute function crossfade.own_webhook_queue();
alter table public.webhook_queues alter column account_id set not null;
create index webhook_queues_of_account on public.webhook_queues (account_id, due_at) where due_at < 'infinity';
"""
DOWN = """
drop index public.webhook_queues_of_account;
drop trigger own_webhook_queue on public.webhook_queues;
drop function crossfade.own_webhook_queue();
alter table public.webhook_queues drop column account_id;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
