"""Remember who added whom to the operators, and let their adding wait for a second one."""

from migrations import sql

revision = "0024"
down_revision = "0023"

UP = """
alter table public.rollout_operators add column added_by bigint references public.rollout_operators (id);
comment on column public.rollout_operators.added_by is
    'Who was shown the key, and may still have it; null: it begins a line. Who agrees is of another line than who asked.';
-- Until now the maker is known by name. The first two began the team.
update public.rollout_operators o set added_by = (
    select max(m.id) from public.rollout_operators m where m.id < o.id and lower(m.name) = lower(o.created_by)
) where o.id not in (select id from public.rollout_operators where revoked_at is null order by id limit 2);
alter table public.rollout_approvals
    add column action text not null default 'set' check (action in ('set', 'operator_add', 'approvals_off')),
    add column operator text check ((operator is not null) = (action = 'operator_add'));
comment on column public.rollout_approvals.stage is 'Where to, if the wish is a stage; else where the dial stood.';
"""
DOWN = """
alter table public.rollout_approvals drop column action, drop column operator;
alter table public.rollout_operators drop column added_by;
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
