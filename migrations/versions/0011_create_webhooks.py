"""Create webhooks: endpoints, their sealed secrets, the queue of deliveries and the log of attempts."""

from migrations import sql

revision = "0011"
down_revision = "0010"

UP = """
create table public.chat_external_webhooks (
    id bigint generated always as identity primary key,
    account_id uuid not null references auth.users (id) on delete cascade,
    url text not null check (octet_length(url) <= 2048),
    description text,
    event_types text[] not null check (cardinality(event_types) between 1 and 50),
    headers_sealed bytea,
    header_names text[] not null default '{}',
    max_in_flight integer not null default 10 check (max_in_flight between 1 and 100),
    max_per_second integer check (max_per_second between 1 and 1000),
    fifo boolean not null default false,
    compatibility_signature boolean not null default false,
    paused boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on column public.chat_external_webhooks.headers_sealed is 'Custom headers, encrypted: they may hold a token.';
create index chat_external_webhooks_account on public.chat_external_webhooks (account_id, id);

-- Several secrets may be live at once: a rotation overlaps.
create table public.webhook_secrets (
    id bigint generated always as identity primary key,
    webhook_id bigint not null references public.chat_external_webhooks (id) on delete cascade,
    sealed bytea not null,
    hint text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz
);
create index webhook_secrets_webhook on public.webhook_secrets (webhook_id, id);

-- One row per endpoint: when its queue has work, and how well it does. Apart from the settings, because it is written often.
create table public.webhook_queues (
    webhook_id bigint primary key references public.chat_external_webhooks (id) on delete cascade,
    due_at timestamptz not null default 'infinity',
    not_before timestamptz not null default '-infinity',
    tokens double precision not null default 1000,
    tokens_at timestamptz not null default now(),
    health text not null default 'healthy' check (health in ('healthy', 'degraded', 'disabled')),
    consecutive_failures integer not null default 0,
    failing_since timestamptz,
    warnings integer not null default 0,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    last_error text,
    disabled_at timestamptz,
    disabled_reason text,
    enabled_at timestamptz
) with (fillfactor = 50);
comment on column public.webhook_queues.due_at is 'Nothing of this endpoint is due before; infinity while its queue is empty.';
create index webhook_queues_due on public.webhook_queues (due_at);

create sequence public.webhook_deliveries_id_seq as bigint;

-- Weekly partitions by the event's time, like the log's: retention drops both together.
create table public.webhook_deliveries (
    id bigint not null default nextval('public.webhook_deliveries_id_seq'),
    webhook_id bigint not null,
    account_id uuid not null,
    event_id uuid not null,
    log_id bigint,
    logged_at timestamptz not null,
    conversation_id bigint,
    seq bigint,
    type text not null,
    payload jsonb,
    state text not null default 'open' check (state in ('open', 'sending', 'delivered', 'failed')),
    lane smallint not null default 0,
    fifo boolean not null default false,
    replay boolean not null default false,
    attempts integer not null default 0,
    fence integer not null default 0,
    next_at timestamptz not null,
    created_at timestamptz not null default now(),
    settled_at timestamptz,
    primary key (id, logged_at)
) partition by range (logged_at);
comment on column public.webhook_deliveries.payload is 'Only of what is not in the log: pings, test events, notices.';
comment on column public.webhook_deliveries.next_at is 'When to try; of one that is being sent, when its lease ends.';
comment on column public.webhook_deliveries.lane is '0: first attempts and the first retry. 1: later retries, replays and recovered events.';
alter sequence public.webhook_deliveries_id_seq owned by public.webhook_deliveries.id;
create index webhook_deliveries_listed on public.webhook_deliveries (webhook_id, logged_at, id);
create index webhook_deliveries_due on public.webhook_deliveries (webhook_id, lane, next_at) where state = 'open';
create index webhook_deliveries_sending on public.webhook_deliveries (webhook_id, next_at) where state = 'sending';
create index webhook_deliveries_fifo on public.webhook_deliveries (webhook_id, conversation_id, log_id)
    where fifo and state in ('open', 'sending');

create sequence public.webhook_attempts_id_seq as bigint;
create table public.webhook_attempts (
    id bigint not null default nextval('public.webhook_attempts_id_seq'),
    webhook_id bigint not null,
    delivery_id bigint not null,
    event_id uuid not null,
    type text not null,
    number integer not null,
    replay boolean not null,
    started_at timestamptz not null,
    outcome text not null,
    status integer,
    error text,
    dns_ms real,
    connect_ms real,
    first_byte_ms real,
    total_ms real not null,
    response_headers jsonb,
    response_body text,
    secret_ids bigint[] not null,
    primary key (id, started_at)
) partition by range (started_at);
alter sequence public.webhook_attempts_id_seq owned by public.webhook_attempts.id;
create index webhook_attempts_listed on public.webhook_attempts (webhook_id, started_at, id);
create index webhook_attempts_delivery on public.webhook_attempts (delivery_id, number);

-- What an endpoint's owner should know: degraded, failing for a day, disabled, recovered.
create table public.webhook_notices (
    id bigint generated always as identity primary key,
    webhook_id bigint not null references public.chat_external_webhooks (id) on delete cascade,
    event_id uuid not null,
    type text not null,
    reason text not null,
    created_at timestamptz not null default now()
);
create index webhook_notices_webhook on public.webhook_notices (webhook_id, id);

create table crossfade.webhook_deliveries_default partition of public.webhook_deliveries default;
create table crossfade.webhook_attempts_default partition of public.webhook_attempts default;

create function crossfade.ensure_webhook_partitions(weeks_behind integer, weeks_ahead integer) returns integer
language plpgsql set search_path = '' as $$
declare
    first_day date := date_trunc('week', now() at time zone 'utc')::date;
    parent text;
    partition_name text;
    week date;
    created integer := 0;
begin
    foreach parent in array array['webhook_deliveries', 'webhook_attempts'] loop
        for step in -weeks_behind..weeks_ahead loop
            week := first_day + step * 7;
            partition_name := parent || '_' || to_char(week, 'YYYY_MM_DD');
            if to_regclass('crossfade.' || partition_name) is null then
                execute format(
                    'create table crossfade.%I partition of public.%I for values from (%L) to (%L)',
                    partition_name, parent, week::timestamp at time zone 'utc', (week + 7)::timestamp at time zone 'utc'
                );
                execute format('alter table crossfade.%I enable row level security', partition_name);
                created := created + 1;
            end if;
        end loop;
    end loop;
    return created;
end
$$;

create function crossfade.drop_webhook_partitions(keep interval) returns integer
language plpgsql set search_path = '' as $$
declare
    old record;
    dropped integer := 0;
begin
    for old in
        select c.relname, to_date(right(c.relname, 10), 'YYYY_MM_DD') + 7 as ends
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('public.webhook_deliveries'::regclass, 'public.webhook_attempts'::regclass)
            and c.relname ~ '_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
    loop
        if old.ends::timestamp at time zone 'utc' < now() - keep then
            execute format('drop table crossfade.%I', old.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end
$$;

select crossfade.ensure_webhook_partitions(0, 4);

-- The forms in which the API shows them.
create function crossfade.webhook_shown(w public.chat_external_webhooks, q public.webhook_queues) returns jsonb
language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', w.id,
        'url', w.url,
        'description', w.description,
        'eventTypes', to_jsonb(w.event_types),
        'headerNames', to_jsonb(w.header_names),
        'maxInFlight', w.max_in_flight,
        'maxPerSecond', w.max_per_second,
        'fifo', w.fifo,
        'compatibilitySignature', w.compatibility_signature,
        'paused', w.paused,
        'health', q.health,
        'consecutiveFailures', q.consecutive_failures,
        'failingSince', crossfade.iso8601(q.failing_since),
        'restsUntil', case when q.not_before > now() then crossfade.iso8601(q.not_before) end,
        'lastSuccessAt', crossfade.iso8601(q.last_success_at),
        'lastFailureAt', crossfade.iso8601(q.last_failure_at),
        'lastError', q.last_error,
        'disabledAt', crossfade.iso8601(q.disabled_at),
        'disabledReason', q.disabled_reason,
        'createdAt', crossfade.iso8601(w.created_at),
        'updatedAt', crossfade.iso8601(w.updated_at)
    )
$$;

create function crossfade.webhook_delivery_shown(d public.webhook_deliveries) returns jsonb
language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', d.id,
        'webhookId', d.webhook_id,
        'eventId', d.event_id,
        'type', d.type,
        'seq', d.log_id,
        'conversationId', d.conversation_id,
        'conversationSeq', d.seq,
        'state', case when d.state = 'sending' then 'open' else d.state end,
        'attempts', d.attempts,
        'nextAttemptAt', case when d.state = 'open' then crossfade.iso8601(d.next_at) end,
        'eventAt', crossfade.iso8601(d.logged_at),
        'createdAt', crossfade.iso8601(d.created_at),
        'settledAt', crossfade.iso8601(d.settled_at)
    )
$$;

create function crossfade.webhook_attempt_shown(a public.webhook_attempts) returns jsonb
language sql stable parallel safe as $$
    select jsonb_build_object(
        'id', a.id,
        'webhookId', a.webhook_id,
        'deliveryId', a.delivery_id,
        'eventId', a.event_id,
        'type', a.type,
        'number', a.number,
        'replay', a.replay,
        'startedAt', crossfade.iso8601(a.started_at),
        'outcome', a.outcome,
        'status', a.status,
        'error', a.error,
        'timing', jsonb_build_object(
            'dnsMs', a.dns_ms, 'connectMs', a.connect_ms, 'firstByteMs', a.first_byte_ms, 'totalMs', a.total_ms
        ),
        'response', case when a.status is not null then jsonb_build_object(
            'headers', a.response_headers, 'body', a.response_body
        ) end,
        'secretIds', to_jsonb(a.secret_ids)
    )
$$;

alter table public.chat_external_webhooks enable row level security;
alter table public.webhook_secrets enable row level security;
alter table public.webhook_queues enable row level security;
alter table public.webhook_deliveries enable row level security;
alter table public.webhook_attempts enable row level security;
alter table public.webhook_notices enable row level security;
alter table crossfade.webhook_deliveries_default enable row level security;
alter table crossfade.webhook_attempts_default enable row level security;
revoke all on public.chat_external_webhooks, public.webhook_secrets, public.webhook_queues, public.webhook_deliveries,
    public.webhook_attempts, public.webhook_notices from anon, authenticated;

-- Webhooks tell what happens from now on: the sink starts at the end of the log.
insert into public.relay_cursors (sink, high_water)
select 'webhooks', coalesce((select max(id) from public.chat_events), 0);
"""

DOWN = """
delete from public.parked_events where sink = 'webhooks';
delete from public.relay_cursors where sink = 'webhooks';
drop function crossfade.webhook_attempt_shown(public.webhook_attempts);
drop function crossfade.webhook_delivery_shown(public.webhook_deliveries);
drop function crossfade.webhook_shown(public.chat_external_webhooks, public.webhook_queues);
drop table public.webhook_notices;
drop table public.webhook_attempts;
drop table public.webhook_deliveries;
drop table public.webhook_queues;
drop table public.webhook_secrets;
drop table public.chat_external_webhooks;
drop function crossfade.drop_webhook_partitions(interval);
drop function crossfade.ensure_webhook_partitions(integer, integer);
"""


def upgrade() -> None:
    sql.run(UP)


def downgrade() -> None:
    sql.run(DOWN)
