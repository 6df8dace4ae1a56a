-- The schema as it is, for reading: what all migrations together leave behind, drawn by a test with pg_dump.
-- Nothing runs it. After a migration: CROSSFADE_DRAW=1 ./ops/test tests/migration/test_schema.py
-- Partitions are left out: they are made by the week.

CREATE SCHEMA crossfade;

CREATE SCHEMA public;

COMMENT ON SCHEMA public IS 'standard public schema';

CREATE FUNCTION crossfade.is_bounded(metadata jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    select octet_length(metadata::text) <= 4096
$$;

CREATE DOMAIN crossfade.metadata AS jsonb
	CONSTRAINT metadata_check CHECK (crossfade.is_bounded(VALUE));

CREATE FUNCTION crossfade.announce_api_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform pg_notify('chat_api_keys', coalesce(new.id, old.id));
    return null;
end
$$;

CREATE FUNCTION crossfade.announce_events() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    perform pg_notify('chat_events', a.account_id::text) from (select distinct account_id from added) as a;
    return null;
end
$$;

CREATE FUNCTION crossfade.announce_rollout() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    if tg_table_name = 'rollout_overrides' then
        update public.rollout_stages set revision = revision + 1 where flag = coalesce(new.flag, old.flag);
    else
        perform pg_notify('rollout', new.flag);
    end if;
    return null;
end
$$;

CREATE FUNCTION crossfade.append_provider_status(message bigint, wanted text, provider_id text, reason text, via text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    ranks constant text[] := array['pending', 'sent', 'delivered', 'read'];
    place public.conversations;
    known public.chat_messages;
    new_event uuid := gen_random_uuid();
    is_read boolean;
begin
    select c.* into place from public.conversations c
    where c.id = (select m.conversation_id from public.chat_messages m where m.id = message)
    for no key update;
    if not found then
        return false;
    end if;
    select m.* into known from public.chat_messages m where m.id = message;
    if not (case when wanted = 'failed' then known.status in ('pending', 'sent')
        else coalesce(array_position(ranks, wanted) > array_position(ranks, known.status), false) end) then
        return false;
    end if;
    is_read := wanted = 'read' and crossfade.is_unread(known, place.read_seq);
    update public.conversations c set
        last_seq = c.last_seq + 1,
        updated_at = clock_timestamp(),
        unread_count = greatest(0, c.unread_count - case when is_read then 1 else 0 end)
    where c.id = place.id returning c.* into place;
    update public.chat_messages m set
        status = wanted,
        provider_message_id = coalesce(m.provider_message_id, provider_id),
        metadata = case when reason is null then m.metadata else m.metadata || jsonb_build_object('deliveryError', reason) end,
        updated_at = place.updated_at
    where m.id = known.id returning m.* into known;
    insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
    values (new_event, place.user_id, place.id, place.last_seq, 'message.status',
        crossfade.message_payload(known, new_event, place.last_seq), via, place.updated_at);
    if is_read then  -- one unread message less: a change of the conversation, with an event of its own
        new_event := gen_random_uuid();
        update public.conversations c set last_seq = c.last_seq + 1, updated_at = clock_timestamp()
        where c.id = place.id returning c.* into place;
        insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
        values (new_event, place.user_id, place.id, place.last_seq, 'conversation.updated',
            crossfade.conversation_payload(place, new_event, place.last_seq), via, place.updated_at);
    end if;
    return true;
end
$$;

CREATE FUNCTION crossfade.belongs(account uuid, person uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select person = account
        or exists (
            select from auth.users u where u.id = person and u.raw_app_meta_data -> 'chat_accounts' ? account::text
        )
        or exists (select from public.chat_settings s where s.name = 'account_users' and s.value = 'everybody')
$$;

CREATE TABLE public.conversations (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    contact_jid text NOT NULL,
    contact_name text,
    channel text DEFAULT 'api'::text NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    assigned_agent_id uuid,
    assigned_bot_id text,
    last_seq bigint DEFAULT 0 NOT NULL,
    last_message_at timestamp with time zone,
    last_message_preview text,
    unread_count integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    snoozed_until timestamp with time zone,
    read_seq bigint DEFAULT 0 NOT NULL,
    first_seq bigint DEFAULT 0 NOT NULL,
    priority text DEFAULT 'normal'::text NOT NULL,
    CONSTRAINT conversations_first_seq_check CHECK ((first_seq <= 0)),
    CONSTRAINT conversations_last_seq_check CHECK ((last_seq >= 0)),
    CONSTRAINT conversations_status_check CHECK ((status = ANY (ARRAY['open'::text, 'pending'::text, 'resolved'::text, 'snoozed'::text]))),
    CONSTRAINT conversations_unread_count_check CHECK ((unread_count >= 0))
);

COMMENT ON COLUMN public.conversations.user_id IS 'The account that owns the conversation.';

COMMENT ON COLUMN public.conversations.last_seq IS 'Number of the newest event; taken under this row''s lock, so gapless.';

COMMENT ON COLUMN public.conversations.read_seq IS 'Up to here somebody on the account''s side has read.';

COMMENT ON COLUMN public.conversations.first_seq IS 'Imported history takes numbers below zero, down to this one.';

CREATE FUNCTION crossfade.conversation_payload(conversation public.conversations, event_id uuid, seq bigint) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    select jsonb_build_object(
        'id', conversation.id,
        'seq', seq,
        'eventId', event_id,
        'contactJid', conversation.contact_jid,
        'contactName', conversation.contact_name,
        'channel', conversation.channel,
        'status', conversation.status,
        'priority', conversation.priority,
        'snoozedUntil', crossfade.iso8601(conversation.snoozed_until),
        'assignedAgentId', conversation.assigned_agent_id,
        'assignedBotId', conversation.assigned_bot_id,
        'lastMessageAt', crossfade.iso8601(conversation.last_message_at),
        'lastMessagePreview', conversation.last_message_preview,
        'unreadCount', conversation.unread_count,
        'readSeq', conversation.read_seq,
        'firstSeq', conversation.first_seq,
        'createdAt', crossfade.iso8601(conversation.created_at),
        'updatedAt', crossfade.iso8601(conversation.updated_at)
    )
$$;

CREATE FUNCTION crossfade.count_message_version() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    new.version := old.version + 1;
    return new;
end
$$;

CREATE FUNCTION crossfade.drop_event_partitions(keep interval) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $_$
declare
    old record;
    newest bigint;
    dropped integer := 0;
begin
    for old in
        select c.relname, to_date(substr(c.relname, 13), 'YYYY_MM_DD') + 7 as ends
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'public.chat_events'::regclass and c.relname ~ '^chat_events_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
    loop
        if old.ends::timestamp at time zone 'utc' < now() - keep then
            execute format('select max(id) from crossfade.%I', old.relname) into newest;
            update crossfade.event_floor set id = greatest(id, coalesce(newest, 0));
            execute format('drop table crossfade.%I', old.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end
$_$;

CREATE FUNCTION crossfade.drop_webhook_partitions(keep interval) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

CREATE FUNCTION crossfade.end_membership(account uuid, person uuid, at_most integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    place bigint;
    known public.conversations;
    new_event uuid;
    ended integer := 0;
begin
    for place in
        select c.id from public.conversations c
        join public.conversation_participants p on p.conversation_id = c.id
        where c.user_id = account and p.user_id = person and person <> account
        order by c.id limit at_most
    loop
        update public.conversations c set last_seq = c.last_seq + 1, updated_at = clock_timestamp()
        where c.id = place returning c.* into known;
        delete from public.conversation_participants p where p.conversation_id = place and p.user_id = person;
        new_event := gen_random_uuid();
        insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
        values (new_event, known.user_id, known.id, known.last_seq, 'conversation.updated',
            crossfade.conversation_payload(known, new_event, known.last_seq)
                || jsonb_build_object('participants', crossfade.participants_json(known.id)), known.updated_at);
        ended := ended + 1;
    end loop;
    return ended;
end
$$;

CREATE FUNCTION crossfade.ensure_event_partitions(weeks_ahead integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $$
declare
    first_day date := date_trunc('week', now() at time zone 'utc')::date;
    starts timestamptz;
    ends timestamptz;
    name text;
    created integer := 0;
begin
    for step in 0..weeks_ahead loop
        starts := (first_day + step * 7)::timestamp at time zone 'utc';
        ends := (first_day + step * 7 + 7)::timestamp at time zone 'utc';
        name := 'chat_events_' || to_char(first_day + step * 7, 'YYYY_MM_DD');
        continue when to_regclass(format('crossfade.%I', name)) is not null;
        execute format('create table crossfade.%I (like public.chat_events including all)', name);
        execute format('alter table crossfade.%I enable row level security', name);
        execute format(
            'with moved as (delete from crossfade.chat_events_default where created_at >= %L and created_at < %L'
            ' returning *) insert into crossfade.%I select * from moved', starts, ends, name
        );
        execute format(
            'alter table public.chat_events attach partition crossfade.%I for values from (%L) to (%L)',
            name, starts, ends
        );
        created := created + 1;
    end loop;
    return created;
end
$$;

CREATE FUNCTION crossfade.ensure_webhook_partitions(weeks_behind integer, weeks_ahead integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION crossfade.fill_message_account() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    new.account_id := (select c.user_id from public.conversations c where c.id = new.conversation_id);
    return new;
end
$$;

CREATE FUNCTION crossfade.is_evicted(person uuid, token_from timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select exists (
        select from public.chat_evictions e
        where e.user_id = person and e.ended_at is not null and (token_from is null or token_from < e.ended_at)
    )
$$;

CREATE FUNCTION crossfade.is_participant(conversation bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE TABLE public.chat_messages (
    id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    direction text NOT NULL,
    message_type text DEFAULT 'text'::text NOT NULL,
    content text NOT NULL,
    status text NOT NULL,
    client_message_id text,
    provider_message_id text,
    sender_id text,
    reply_to_id bigint,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    edited_at timestamp with time zone,
    deleted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    account_id uuid,
    version integer DEFAULT 1 NOT NULL,
    attachments jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT chat_messages_attachments_check CHECK ((jsonb_typeof(attachments) = 'array'::text)),
    CONSTRAINT chat_messages_content_check CHECK ((octet_length(content) <= 4096)),
    CONSTRAINT chat_messages_direction_check CHECK ((direction = ANY (ARRAY['incoming'::text, 'outgoing'::text]))),
    CONSTRAINT chat_messages_message_type_check CHECK ((message_type = ANY (ARRAY['text'::text, 'image'::text, 'audio'::text, 'video'::text, 'document'::text]))),
    CONSTRAINT chat_messages_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT chat_messages_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'sent'::text, 'delivered'::text, 'read'::text, 'failed'::text])))
);

COMMENT ON COLUMN public.chat_messages.event_id IS 'Id of the message.new event, so a client can drop what it has seen live.';

COMMENT ON COLUMN public.chat_messages.account_id IS 'The conversation''s account again, so that a search begins there.';

COMMENT ON COLUMN public.chat_messages.version IS 'Counts the changes; what an ETag is made of.';

CREATE FUNCTION crossfade.is_unread(message public.chat_messages, read_seq bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    select message.direction = 'incoming' and message.status <> 'read' and message.deleted_at is null
        and message.seq > read_seq
$$;

CREATE FUNCTION crossfade.iso8601(moment timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    select to_char(moment at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

CREATE FUNCTION crossfade.mark_read(conversation bigint, reader uuid, upto bigint) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    known public.conversations;
    mark public.conversation_participants;
    new_event uuid := gen_random_uuid();
begin
    -- Who takes no part keeps nobody waiting; who was let out while this waited is seen by the second look.
    select c.* into known from public.conversations c
    where c.id = conversation and exists (
        select from public.conversation_participants p where p.conversation_id = c.id and p.user_id = reader
    )
    for no key update;
    if not found then
        return null;
    end if;
    select p.* into mark from public.conversation_participants p
    where p.conversation_id = conversation and p.user_id = reader;
    if not found then
        return null;
    end if;
    upto := least(upto, known.last_seq);
    if upto <= mark.last_read_seq then
        return false;
    end if;
    update public.conversation_participants p set last_read_seq = upto
    where p.conversation_id = conversation and p.user_id = reader;
    if mark.role <> 'client' and upto > known.read_seq then
        known.unread_count := greatest(0, known.unread_count - (
            select count(*) from public.chat_messages m
            where m.conversation_id = conversation and m.seq > known.read_seq and m.seq <= upto
                and crossfade.is_unread(m, known.read_seq)
        ));
        known.read_seq := upto;
    end if;
    update public.conversations c
    set last_seq = c.last_seq + 1, unread_count = known.unread_count, read_seq = known.read_seq,
        updated_at = clock_timestamp()
    where c.id = conversation returning c.* into known;
    insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, created_at)
    values (new_event, known.user_id, known.id, known.last_seq, 'conversation.updated',
        crossfade.conversation_payload(known, new_event, known.last_seq)
            || jsonb_build_object('participants', crossfade.participants_json(known.id)), known.updated_at);
    return true;
end
$$;

CREATE FUNCTION crossfade.may_receive(topic text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    select case
        when topic ~ '^(conversation|presence):[1-9][0-9]{0,17}$' then crossfade.is_participant(split_part(topic, ':', 2)::bigint)
        when topic ~ '^user:[0-9a-f-]{36}:inbox$' then split_part(topic, ':', 2) = (select auth.uid())::text
        else false
    end
$_$;

CREATE FUNCTION crossfade.may_send(topic text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    select topic ~ '^presence:[1-9][0-9]{0,17}$' and crossfade.is_participant(split_part(topic, ':', 2)::bigint)
$_$;

CREATE FUNCTION crossfade.message_payload(message public.chat_messages, event_id uuid, seq bigint) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    select jsonb_build_object(
        'id', message.id,
        'conversationId', message.conversation_id,
        'seq', seq,
        'eventId', event_id,
        'messageSeq', message.seq,
        'version', message.version,
        'content', message.content,
        'direction', message.direction,
        'status', message.status,
        'messageType', message.message_type,
        'metadata', message.metadata,
        'attachments', message.attachments,
        'clientMessageId', message.client_message_id,
        'providerMessageId', message.provider_message_id,
        'senderId', message.sender_id,
        'replyToId', message.reply_to_id,
        'createdAt', crossfade.iso8601(message.created_at),
        'updatedAt', crossfade.iso8601(message.updated_at),
        'editedAt', crossfade.iso8601(message.edited_at),
        'deletedAt', crossfade.iso8601(message.deleted_at)
    )
$$;

CREATE FUNCTION crossfade.own_webhook_queue() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    select account_id into strict new.account_id from public.chat_external_webhooks where id = new.webhook_id;
    return new;
end $$;

CREATE FUNCTION crossfade.participants_json(conversation bigint) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'userId', p.user_id, 'role', p.role, 'lastReadSeq', p.last_read_seq, 'joinedAt', crossfade.iso8601(p.joined_at)
    ) order by p.role <> 'owner', p.user_id), '[]')
    from public.conversation_participants p
    where p.conversation_id = conversation
$$;

CREATE FUNCTION crossfade.preview(content text, message_type text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    select case when content = '' then '[' || message_type || ']' else left(content, 100) end
$$;

CREATE FUNCTION crossfade.refuse_rewriting() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
    raise exception 'The audit is only ever added to.';
end
$$;

CREATE FUNCTION crossfade.search_chunk(id bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select id >> 17 $$;

CREATE FUNCTION crossfade.search_document(content text, account_id uuid) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    select to_tsvector('pg_catalog.simple'::regconfig, content)
        || array_to_tsvector(array['@' || coalesce(account_id::text, '')])
$$;

CREATE FUNCTION crossfade.search_place(account_id uuid, chunk bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    select left(encode(sha256(coalesce(uuid_send(account_id), '') || int8send(chunk)), 'hex'), 8)
$$;

CREATE FUNCTION crossfade.search_start(chunk bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select chunk << 17 $$;

CREATE FUNCTION crossfade.search_term(lexeme text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select left(lexeme, 64) $$;

CREATE FUNCTION crossfade.search_terms(content text, account_id uuid, id bigint) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    place text := crossfade.search_place(account_id, crossfade.search_chunk(id));
begin
    return array_to_tsvector(array(
        select place || crossfade.search_term(lexeme)
        from unnest(tsvector_to_array(to_tsvector('pg_catalog.simple'::regconfig, content))) as lexeme
    ));
end
$$;

CREATE FUNCTION crossfade.takes_part(conversation bigint, person uuid, token_from timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select exists (
        select from public.conversation_participants p
        join public.conversations c on c.id = p.conversation_id
        where p.conversation_id = conversation and p.user_id = person and crossfade.belongs(c.user_id, p.user_id)
    ) and not crossfade.is_evicted(person, token_from)
$$;

CREATE FUNCTION crossfade.token_counts() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    select not crossfade.is_evicted(
        (select auth.uid()),
        to_timestamp((nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'iat')::double precision)
    )
$$;

CREATE FUNCTION crossfade.user_name(profile jsonb, email text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
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

CREATE FUNCTION crossfade.wake_conversations(at_most integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    sleeper public.conversations;
    new_event uuid;
    woken integer := 0;
begin
    for sleeper in
        select c.* from public.conversations c
        where c.status = 'snoozed' and c.snoozed_until <= now()
        order by c.snoozed_until limit at_most
        for no key update skip locked
    loop
        new_event := gen_random_uuid();
        update public.conversations c set
            status = 'open', snoozed_until = null, last_seq = c.last_seq + 1, updated_at = clock_timestamp()
        where c.id = sleeper.id returning c.* into sleeper;
        insert into public.chat_events (event_id, account_id, conversation_id, seq, type, payload, origin, created_at)
        values (new_event, sleeper.user_id, sleeper.id, sleeper.last_seq, 'conversation.updated',
            crossfade.conversation_payload(sleeper, new_event, sleeper.last_seq), 'snooze', sleeper.updated_at);
        woken := woken + 1;
    end loop;
    return woken;
end
$$;

CREATE TABLE public.webhook_attempts (
    id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    number integer NOT NULL,
    replay boolean NOT NULL,
    started_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    status integer,
    error text,
    dns_ms real,
    connect_ms real,
    first_byte_ms real,
    total_ms real NOT NULL,
    response_headers jsonb,
    response_body text,
    secret_ids bigint[] NOT NULL
)
PARTITION BY RANGE (started_at);

CREATE FUNCTION crossfade.webhook_attempt_shown(a public.webhook_attempts) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
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

CREATE TABLE public.webhook_deliveries (
    id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    account_id uuid NOT NULL,
    event_id uuid NOT NULL,
    log_id bigint,
    logged_at timestamp with time zone NOT NULL,
    conversation_id bigint,
    seq bigint,
    type text NOT NULL,
    payload jsonb,
    state text DEFAULT 'open'::text NOT NULL,
    lane smallint DEFAULT 0 NOT NULL,
    fifo boolean DEFAULT false NOT NULL,
    replay boolean DEFAULT false NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    fence integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['open'::text, 'sending'::text, 'delivered'::text, 'failed'::text])))
)
PARTITION BY RANGE (logged_at);

COMMENT ON COLUMN public.webhook_deliveries.payload IS 'Only of what is not in the log: pings, test events, notices.';

COMMENT ON COLUMN public.webhook_deliveries.lane IS '0: first attempts and the first retry. 1: later retries, replays and recovered events.';

COMMENT ON COLUMN public.webhook_deliveries.next_at IS 'When to try; of one that is being sent, when its lease ends.';

CREATE FUNCTION crossfade.webhook_delivery_shown(d public.webhook_deliveries) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
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

CREATE TABLE public.chat_external_webhooks (
    id bigint NOT NULL,
    account_id uuid NOT NULL,
    url text NOT NULL,
    description text,
    event_types text[] NOT NULL,
    headers_sealed bytea,
    header_names text[] DEFAULT '{}'::text[] NOT NULL,
    max_in_flight integer DEFAULT 10 NOT NULL,
    max_per_second integer,
    fifo boolean DEFAULT false NOT NULL,
    compatibility_signature boolean DEFAULT false NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT chat_external_webhooks_event_types_check CHECK (((cardinality(event_types) >= 1) AND (cardinality(event_types) <= 50))),
    CONSTRAINT chat_external_webhooks_max_in_flight_check CHECK (((max_in_flight >= 1) AND (max_in_flight <= 100))),
    CONSTRAINT chat_external_webhooks_max_per_second_check CHECK (((max_per_second >= 1) AND (max_per_second <= 1000))),
    CONSTRAINT chat_external_webhooks_url_check CHECK ((octet_length(url) <= 2048))
);

COMMENT ON COLUMN public.chat_external_webhooks.headers_sealed IS 'Custom headers, encrypted: they may hold a token.';

CREATE TABLE public.webhook_queues (
    webhook_id bigint NOT NULL,
    due_at timestamp with time zone DEFAULT 'infinity'::timestamp with time zone NOT NULL,
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    tokens double precision DEFAULT 1000 NOT NULL,
    tokens_at timestamp with time zone DEFAULT now() NOT NULL,
    health text DEFAULT 'healthy'::text NOT NULL,
    consecutive_failures integer DEFAULT 0 NOT NULL,
    failing_since timestamp with time zone,
    warnings integer DEFAULT 0 NOT NULL,
    last_success_at timestamp with time zone,
    last_failure_at timestamp with time zone,
    last_error text,
    disabled_at timestamp with time zone,
    disabled_reason text,
    enabled_at timestamp with time zone,
    account_id uuid NOT NULL,
    CONSTRAINT webhook_queues_health_check CHECK ((health = ANY (ARRAY['healthy'::text, 'degraded'::text, 'disabled'::text])))
)
WITH (fillfactor='50');

COMMENT ON COLUMN public.webhook_queues.due_at IS 'Nothing of this endpoint is due before; infinity while its queue is empty.';

CREATE FUNCTION crossfade.webhook_shown(w public.chat_external_webhooks, q public.webhook_queues) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
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

CREATE FUNCTION crossfade.webhook_type(wanted text[], type text, direction text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    select case
        when wanted && array[type, split_part(type, '.', 1) || '.*', '*'] then type
        when type <> 'message.new' then null
        when direction = 'incoming' and 'message.received' = any(wanted) then 'message.received'
        when direction = 'outgoing' and 'message.sent' = any(wanted) then 'message.sent'
    end
$$;

CREATE TABLE public.chat_events (
    id bigint NOT NULL,
    event_id uuid NOT NULL,
    account_id uuid NOT NULL,
    conversation_id bigint NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    payload jsonb NOT NULL,
    origin text DEFAULT 'api'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id(),
    CONSTRAINT chat_events_payload_check CHECK ((jsonb_typeof(payload) = 'object'::text))
)
PARTITION BY RANGE (created_at);

COMMENT ON COLUMN public.chat_events.xid IS 'The transaction that wrote it: what a reader''s snapshot could not see, it names.';

CREATE TABLE crossfade.event_floor (
    only_row boolean DEFAULT true NOT NULL,
    id bigint DEFAULT 0 NOT NULL,
    CONSTRAINT event_floor_only_row_check CHECK (only_row)
);

COMMENT ON TABLE crossfade.event_floor IS 'Events up to this id are gone, or soon will be: no cursor below it can be resumed.';

CREATE TABLE crossfade.schema_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE crossfade.write_probe (
    filler bytea NOT NULL
);
ALTER TABLE ONLY crossfade.write_probe ALTER COLUMN filler SET STORAGE PLAIN;

CREATE TABLE public.bridge_reports (
    bridge text NOT NULL,
    provider text NOT NULL,
    sinks jsonb NOT NULL,
    feed_mode text NOT NULL,
    version bigint,
    has_canary boolean NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    is_gateway boolean DEFAULT false NOT NULL,
    heard bigint,
    CONSTRAINT bridge_reports_sinks_check CHECK ((jsonb_typeof(sinks) = 'object'::text))
);

COMMENT ON TABLE public.bridge_reports IS 'What each process that follows the dial, or is pinned, does at this moment.';

COMMENT ON COLUMN public.bridge_reports.bridge IS 'The name under which it holds leases.';

COMMENT ON COLUMN public.bridge_reports.sinks IS 'Of each sink that it may deliver: {isFed, since}, whether it gets events while this bridge holds its lease.';

COMMENT ON COLUMN public.bridge_reports.version IS 'The version of the dial that it follows; null when it is pinned.';

COMMENT ON COLUMN public.bridge_reports.heard IS 'Up to this id of the log its legacy sockets were told everything; null when it has none, or does not say.';

CREATE TABLE public.chat_account_settings (
    account_id uuid NOT NULL,
    content_html boolean DEFAULT false NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN public.chat_account_settings.content_html IS 'Whether content is sent with its safe HTML form as well.';

CREATE TABLE public.chat_api_keys (
    id text NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    env text NOT NULL,
    prefix text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    rate_limit integer,
    send_rate_limit integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    replaced_by text,
    CONSTRAINT chat_api_keys_rate_limit_check CHECK ((rate_limit > 0)),
    CONSTRAINT chat_api_keys_scopes_check CHECK ((cardinality(scopes) > 0)),
    CONSTRAINT chat_api_keys_secret_hash_check CHECK ((octet_length(secret_hash) = 32)),
    CONSTRAINT chat_api_keys_send_rate_limit_check CHECK ((send_rate_limit > 0))
);

COMMENT ON COLUMN public.chat_api_keys.user_id IS 'The account whose data the key opens.';

COMMENT ON COLUMN public.chat_api_keys.prefix IS 'Start of the key, shown so that a person can tell keys apart.';

COMMENT ON COLUMN public.chat_api_keys.rate_limit IS 'Requests per minute; null means the deployment''s default.';

COMMENT ON COLUMN public.chat_api_keys.replaced_by IS 'The key that rotation made from this one.';

CREATE TABLE public.chat_attachments (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    message_id bigint,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    storage_key text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    confirmed_at timestamp with time zone,
    CONSTRAINT chat_attachments_size_bytes_check CHECK ((size_bytes > 0)),
    CONSTRAINT chat_attachments_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'ready'::text, 'rejected'::text])))
);

CREATE TABLE public.chat_channel_contacts (
    channel_id uuid NOT NULL,
    jid text NOT NULL,
    conversation_id bigint NOT NULL
);

CREATE TABLE public.chat_channel_messages (
    channel_id uuid NOT NULL,
    provider_message_id text NOT NULL,
    conversation_id bigint NOT NULL,
    message_id bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.chat_channel_sends (
    message_id bigint NOT NULL,
    channel_id uuid NOT NULL,
    conversation_id bigint NOT NULL,
    seq bigint NOT NULL,
    provider_message_id text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT chat_channel_sends_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'failed'::text, 'cancelled'::text])))
);

COMMENT ON COLUMN public.chat_channel_sends.next_at IS 'Moved ahead by a sender that takes the row: a crash gives it back.';

CREATE TABLE public.chat_channels (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    base_url text NOT NULL,
    provider_user_id text,
    sealed_token bytea NOT NULL,
    sealed_hmac_key bytea NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    consecutive_failures integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT chat_channels_kind_check CHECK ((kind = 'wuzapi'::text)),
    CONSTRAINT chat_channels_name_check CHECK ((name ~ '^[a-z0-9_-]{1,64}$'::text))
);

COMMENT ON COLUMN public.chat_channels.name IS 'What conversations.channel says of its conversations.';

COMMENT ON COLUMN public.chat_channels.provider_user_id IS 'The account at the provider; null takes any that signs well.';

CREATE SEQUENCE public.chat_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.chat_events_id_seq OWNED BY public.chat_events.id;

CREATE TABLE public.chat_evictions (
    user_id uuid NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);

ALTER TABLE public.chat_external_webhooks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.chat_external_webhooks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.chat_message_versions (
    message_id bigint NOT NULL,
    version integer NOT NULL,
    content text NOT NULL,
    metadata jsonb NOT NULL,
    attachments jsonb NOT NULL,
    replaced_by text NOT NULL,
    replaced_at timestamp with time zone NOT NULL,
    CONSTRAINT chat_message_versions_replaced_by_check CHECK ((replaced_by = ANY (ARRAY['edit'::text, 'deletion'::text])))
);

ALTER TABLE public.chat_messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.chat_messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.chat_settings (
    name text NOT NULL,
    value text NOT NULL
);

COMMENT ON TABLE public.chat_settings IS 'account_users: listed or everybody, by `crossfade users scope`; no row: listed.';

CREATE TABLE public.conversation_participants (
    conversation_id bigint NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    last_read_seq bigint DEFAULT 0 NOT NULL,
    joined_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT conversation_participants_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'agent'::text, 'client'::text, 'supervisor'::text])))
);

ALTER TABLE public.conversations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.conversations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.idempotency_records (
    id bytea NOT NULL,
    fingerprint bytea NOT NULL,
    sealed_answer bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_records_fingerprint_check CHECK ((octet_length(fingerprint) = 32)),
    CONSTRAINT idempotency_records_id_check CHECK ((octet_length(id) = 32))
);

CREATE TABLE public.legacy_listeners (
    user_id uuid NOT NULL,
    bridge text NOT NULL,
    sockets integer NOT NULL,
    heard_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    moved integer DEFAULT 0 NOT NULL,
    unasked integer DEFAULT 0 NOT NULL,
    CONSTRAINT legacy_listeners_moved_check CHECK ((moved >= 0)),
    CONSTRAINT legacy_listeners_sockets_check CHECK ((sockets >= 0)),
    CONSTRAINT legacy_listeners_unasked_check CHECK ((unasked >= 0))
);

COMMENT ON COLUMN public.legacy_listeners.heard_at IS 'When the last socket of an old client went; -infinity: none did.';

COMMENT ON COLUMN public.legacy_listeners.moved IS 'Sockets of clients whose realtime session says Supabase.';

COMMENT ON COLUMN public.legacy_listeners.unasked IS 'Sockets of old clients: their token is of no realtime session.';

CREATE TABLE public.parity_windows (
    flag text NOT NULL,
    side text NOT NULL,
    window_start timestamp with time zone NOT NULL,
    sent_count bigint DEFAULT 0 NOT NULL,
    seen_count bigint DEFAULT 0 NOT NULL,
    lost_count bigint DEFAULT 0 NOT NULL,
    repeated_count bigint DEFAULT 0 NOT NULL,
    reordered_count bigint DEFAULT 0 NOT NULL,
    attempt_count bigint DEFAULT 0 NOT NULL,
    error_count bigint DEFAULT 0 NOT NULL,
    consecutive_failures integer DEFAULT 0 NOT NULL,
    latency_counts bigint[] NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    missed_count bigint DEFAULT 0 NOT NULL,
    rate_per_s real DEFAULT 0 NOT NULL,
    delivered_counts bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    lag_counts bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    CONSTRAINT parity_windows_attempt_count_check CHECK ((attempt_count >= 0)),
    CONSTRAINT parity_windows_consecutive_failures_check CHECK ((consecutive_failures >= 0)),
    CONSTRAINT parity_windows_error_count_check CHECK ((error_count >= 0)),
    CONSTRAINT parity_windows_lost_count_check CHECK ((lost_count >= 0)),
    CONSTRAINT parity_windows_reordered_count_check CHECK ((reordered_count >= 0)),
    CONSTRAINT parity_windows_repeated_count_check CHECK ((repeated_count >= 0)),
    CONSTRAINT parity_windows_seen_count_check CHECK ((seen_count >= 0)),
    CONSTRAINT parity_windows_sent_count_check CHECK ((sent_count >= 0)),
    CONSTRAINT parity_windows_side_check CHECK ((side = ANY (ARRAY['legacy'::text, 'supabase'::text])))
);

COMMENT ON COLUMN public.parity_windows.sent_count IS 'Log events whose fate on this side was decided in this slot: seen_count + lost_count.';

COMMENT ON COLUMN public.parity_windows.attempt_count IS 'Events that were tried to be delivered; error_count of them failed.';

COMMENT ON COLUMN public.parity_windows.consecutive_failures IS 'Longest run of failures that reached into this slot.';

COMMENT ON COLUMN public.parity_windows.latency_counts IS 'Histogram of commit to client, over the bounds of realtime_bridge/rollout/latency.py, the last one open.';

COMMENT ON COLUMN public.parity_windows.missed_count IS 'Messages that the canary''s schedule asked for and a stall kept back; latency_counts counts them, too.';

COMMENT ON COLUMN public.parity_windows.rate_per_s IS 'How many messages a second the canary''s schedule asked for.';

COMMENT ON COLUMN public.parity_windows.delivered_counts IS 'Histogram of commit to delivery of everybody''s events.';

COMMENT ON COLUMN public.parity_windows.lag_counts IS 'Histogram of how late the loop of the delivering bridge ran.';

CREATE TABLE public.parked_events (
    sink text NOT NULL,
    id bigint NOT NULL,
    event_id uuid NOT NULL,
    account_id uuid NOT NULL,
    conversation_id bigint NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    payload jsonb NOT NULL,
    origin text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    parked_at timestamp with time zone DEFAULT now() NOT NULL,
    replay_requested_at timestamp with time zone
);

CREATE TABLE public.relay_cursors (
    sink text NOT NULL,
    high_water bigint DEFAULT 0 NOT NULL,
    holes jsonb DEFAULT '[]'::jsonb NOT NULL,
    lease_owner text,
    lease_token bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    delivered_count bigint DEFAULT 0 NOT NULL,
    last_delivered_at timestamp with time zone,
    breaker text DEFAULT 'closed'::text NOT NULL,
    consecutive_failures integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    waiting_for text,
    sent_again bigint DEFAULT 0 NOT NULL,
    sent_again_at timestamp with time zone,
    heard jsonb,
    CONSTRAINT relay_cursors_breaker_check CHECK ((breaker = ANY (ARRAY['closed'::text, 'open'::text]))),
    CONSTRAINT relay_cursors_holes_check CHECK ((jsonb_typeof(holes) = 'array'::text))
);

CREATE TABLE public.rollout_approvals (
    id bigint NOT NULL,
    flag text NOT NULL,
    stage text NOT NULL,
    version bigint NOT NULL,
    why text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    decided_by text,
    decided_at timestamp with time zone,
    leave_behind integer DEFAULT 0 NOT NULL,
    key_id text,
    decided_key_id text,
    action text DEFAULT 'set'::text NOT NULL,
    operator text,
    CONSTRAINT rollout_approvals_action_check CHECK ((action = ANY (ARRAY['set'::text, 'operator_add'::text, 'approvals_off'::text]))),
    CONSTRAINT rollout_approvals_check CHECK (((decided_by IS DISTINCT FROM requested_by) OR (state <> 'approved'::text))),
    CONSTRAINT rollout_approvals_check1 CHECK (((operator IS NOT NULL) = (action = 'operator_add'::text))),
    CONSTRAINT rollout_approvals_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'approved'::text, 'withdrawn'::text])))
);

COMMENT ON COLUMN public.rollout_approvals.stage IS 'Where to, if the wish is a stage; else where the dial stood.';

ALTER TABLE public.rollout_approvals ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rollout_approvals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.rollout_audit (
    id bigint NOT NULL,
    flag text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    why text NOT NULL,
    from_stage text,
    to_stage text,
    version bigint NOT NULL,
    figures jsonb,
    key_id text
);

COMMENT ON COLUMN public.rollout_audit.figures IS 'What the gate measured when this was decided.';

COMMENT ON COLUMN public.rollout_audit.key_id IS 'The operator key that proved who acted; null: nobody proved it.';

ALTER TABLE public.rollout_audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rollout_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.rollout_keepers (
    flag text NOT NULL,
    lease_owner text,
    lease_token bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    announced_version bigint DEFAULT 0 NOT NULL,
    announced_revision bigint DEFAULT 0 NOT NULL,
    verdict jsonb,
    judged_at timestamp with time zone
);

CREATE TABLE public.rollout_operators (
    id bigint NOT NULL,
    name text NOT NULL,
    key_id text NOT NULL,
    key_hash bytea NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_by text,
    revoked_at timestamp with time zone,
    added_by bigint
);

COMMENT ON COLUMN public.rollout_operators.key_id IS 'The part of the key that may be seen, and stands in the audit.';

COMMENT ON COLUMN public.rollout_operators.added_by IS 'Who was shown the key, and may still have it; null: it begins a line. Who agrees is of another line than who asked.';

ALTER TABLE public.rollout_operators ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rollout_operators_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.rollout_overrides (
    flag text NOT NULL,
    kind text NOT NULL,
    subject uuid NOT NULL,
    provider text NOT NULL,
    why text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT rollout_overrides_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'account'::text]))),
    CONSTRAINT rollout_overrides_provider_check CHECK ((provider = ANY (ARRAY['socketio'::text, 'supabase'::text])))
);

CREATE TABLE public.rollout_plans (
    flag text NOT NULL,
    steps text[] NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    key_id text,
    CONSTRAINT rollout_plans_state_check CHECK ((state = ANY (ARRAY['running'::text, 'paused'::text, 'stopped'::text, 'done'::text]))),
    CONSTRAINT rollout_plans_steps_check CHECK ((cardinality(steps) > 0))
);

CREATE TABLE public.rollout_sessions (
    user_id uuid NOT NULL,
    account_id uuid NOT NULL,
    provider text NOT NULL,
    told_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    source text
);

COMMENT ON COLUMN public.rollout_sessions.source IS 'Not written any more: a gateway that is pinned says so itself.';

CREATE TABLE public.rollout_stages (
    flag text NOT NULL,
    stage text DEFAULT 'off'::text NOT NULL,
    buckets integer DEFAULT 0 NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    needs_approval boolean DEFAULT false NOT NULL,
    policy jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT rollout_stages_check CHECK ((buckets =
CASE stage
    WHEN 'complete'::text THEN 10000
    WHEN 'ramp'::text THEN buckets
    ELSE 0
END)),
    CONSTRAINT rollout_stages_check1 CHECK (((stage <> 'ramp'::text) OR ((buckets >= 1) AND (buckets <= 10000)))),
    CONSTRAINT rollout_stages_policy_check CHECK ((jsonb_typeof(policy) = 'object'::text)),
    CONSTRAINT rollout_stages_stage_check CHECK ((stage = ANY (ARRAY['off'::text, 'shadow'::text, 'ramp'::text, 'complete'::text])))
);

COMMENT ON COLUMN public.rollout_stages.buckets IS 'How many of the 10,000 buckets are told Supabase.';

COMMENT ON COLUMN public.rollout_stages.policy IS 'What differs from the defaults of the gate.';

CREATE TABLE public.rollout_windows (
    flag text NOT NULL,
    version bigint NOT NULL,
    number integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    sides jsonb NOT NULL,
    CONSTRAINT rollout_windows_sides_check CHECK ((jsonb_typeof(sides) = 'object'::text))
);

CREATE SEQUENCE public.webhook_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.webhook_attempts_id_seq OWNED BY public.webhook_attempts.id;

CREATE SEQUENCE public.webhook_deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.webhook_deliveries_id_seq OWNED BY public.webhook_deliveries.id;

CREATE TABLE public.webhook_notices (
    id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.webhook_notices ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_notices_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.webhook_secrets (
    id bigint NOT NULL,
    webhook_id bigint NOT NULL,
    sealed bytea NOT NULL,
    hint text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone
);

ALTER TABLE public.webhook_secrets ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_secrets_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.chat_events ALTER COLUMN id SET DEFAULT nextval('public.chat_events_id_seq'::regclass);

ALTER TABLE ONLY public.webhook_attempts ALTER COLUMN id SET DEFAULT nextval('public.webhook_attempts_id_seq'::regclass);

ALTER TABLE ONLY public.webhook_deliveries ALTER COLUMN id SET DEFAULT nextval('public.webhook_deliveries_id_seq'::regclass);

ALTER TABLE ONLY crossfade.event_floor
    ADD CONSTRAINT event_floor_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY crossfade.schema_version
    ADD CONSTRAINT schema_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.bridge_reports
    ADD CONSTRAINT bridge_reports_pkey PRIMARY KEY (bridge);

ALTER TABLE ONLY public.chat_account_settings
    ADD CONSTRAINT chat_account_settings_pkey PRIMARY KEY (account_id);

ALTER TABLE public.chat_api_keys
    ADD CONSTRAINT chat_api_keys_not_of_the_canary CHECK ((user_id <> '3a2dff9a-853e-5c26-b4fd-9cfdafe761fd'::uuid)) NOT VALID;

ALTER TABLE ONLY public.chat_api_keys
    ADD CONSTRAINT chat_api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.chat_attachments
    ADD CONSTRAINT chat_attachments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.chat_channel_contacts
    ADD CONSTRAINT chat_channel_contacts_pkey PRIMARY KEY (channel_id, jid);

ALTER TABLE ONLY public.chat_channel_messages
    ADD CONSTRAINT chat_channel_messages_pkey PRIMARY KEY (channel_id, provider_message_id);

ALTER TABLE ONLY public.chat_channel_sends
    ADD CONSTRAINT chat_channel_sends_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_user_id_name_key UNIQUE (user_id, name);

ALTER TABLE ONLY public.chat_events
    ADD CONSTRAINT chat_events_pkey PRIMARY KEY (id, created_at);

ALTER TABLE ONLY public.chat_evictions
    ADD CONSTRAINT chat_evictions_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.chat_external_webhooks
    ADD CONSTRAINT chat_external_webhooks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.chat_message_versions
    ADD CONSTRAINT chat_message_versions_pkey PRIMARY KEY (message_id, version);

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_conversation_id_client_message_id_key UNIQUE (conversation_id, client_message_id);

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_conversation_id_id_key UNIQUE (conversation_id, id);

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_conversation_id_seq_key UNIQUE (conversation_id, seq);

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.chat_settings
    ADD CONSTRAINT chat_settings_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.conversation_participants
    ADD CONSTRAINT conversation_participants_pkey PRIMARY KEY (conversation_id, user_id);

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);

ALTER TABLE public.conversations
    ADD CONSTRAINT conversations_priority CHECK ((priority = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text, 'urgent'::text]))) NOT VALID;

ALTER TABLE ONLY public.idempotency_records
    ADD CONSTRAINT idempotency_records_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.legacy_listeners
    ADD CONSTRAINT legacy_listeners_pkey PRIMARY KEY (user_id, bridge);

ALTER TABLE ONLY public.parity_windows
    ADD CONSTRAINT parity_windows_pkey PRIMARY KEY (flag, side, window_start);

ALTER TABLE ONLY public.parked_events
    ADD CONSTRAINT parked_events_pkey PRIMARY KEY (sink, event_id);

ALTER TABLE ONLY public.relay_cursors
    ADD CONSTRAINT relay_cursors_pkey PRIMARY KEY (sink);

ALTER TABLE ONLY public.rollout_approvals
    ADD CONSTRAINT rollout_approvals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rollout_audit
    ADD CONSTRAINT rollout_audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rollout_keepers
    ADD CONSTRAINT rollout_keepers_pkey PRIMARY KEY (flag);

ALTER TABLE ONLY public.rollout_operators
    ADD CONSTRAINT rollout_operators_key_id_key UNIQUE (key_id);

ALTER TABLE ONLY public.rollout_operators
    ADD CONSTRAINT rollout_operators_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rollout_overrides
    ADD CONSTRAINT rollout_overrides_pkey PRIMARY KEY (flag, kind, subject);

ALTER TABLE ONLY public.rollout_plans
    ADD CONSTRAINT rollout_plans_pkey PRIMARY KEY (flag);

ALTER TABLE ONLY public.rollout_sessions
    ADD CONSTRAINT rollout_sessions_pkey PRIMARY KEY (user_id, account_id);

ALTER TABLE ONLY public.rollout_stages
    ADD CONSTRAINT rollout_stages_pkey PRIMARY KEY (flag);

ALTER TABLE ONLY public.rollout_windows
    ADD CONSTRAINT rollout_windows_pkey PRIMARY KEY (flag, version, number);

ALTER TABLE ONLY public.webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (id, started_at);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id, logged_at);

ALTER TABLE ONLY public.webhook_notices
    ADD CONSTRAINT webhook_notices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_queues
    ADD CONSTRAINT webhook_queues_pkey PRIMARY KEY (webhook_id);

ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_pkey PRIMARY KEY (id);

CREATE INDEX chat_api_keys_account ON public.chat_api_keys USING btree (user_id, created_at);

CREATE INDEX chat_api_keys_strongest ON public.chat_api_keys USING btree (user_id) INCLUDE (rate_limit, send_rate_limit, expires_at) WHERE ((revoked_at IS NULL) AND ((rate_limit IS NOT NULL) OR (send_rate_limit IS NOT NULL)));

CREATE INDEX chat_attachments_account ON public.chat_attachments USING btree (account_id, created_at);

CREATE INDEX chat_attachments_message ON public.chat_attachments USING btree (message_id) WHERE (message_id IS NOT NULL);

CREATE INDEX chat_channel_contacts_conversation ON public.chat_channel_contacts USING btree (conversation_id);

CREATE INDEX chat_channel_messages_conversation ON public.chat_channel_messages USING btree (conversation_id);

CREATE INDEX chat_channel_messages_message ON public.chat_channel_messages USING btree (message_id);

CREATE INDEX chat_channel_sends_due ON public.chat_channel_sends USING btree (channel_id, next_at) WHERE (state = 'queued'::text);

CREATE INDEX chat_channel_sends_order ON public.chat_channel_sends USING btree (conversation_id, seq) WHERE (state = 'queued'::text);

CREATE INDEX chat_channel_sends_settled ON public.chat_channel_sends USING btree (settled_at) WHERE (state <> 'queued'::text);

CREATE INDEX chat_events_account ON ONLY public.chat_events USING btree (account_id, id);

CREATE INDEX chat_events_conversation ON ONLY public.chat_events USING btree (conversation_id, seq);

CREATE INDEX chat_events_writer ON ONLY public.chat_events USING btree (account_id, xid);

CREATE INDEX chat_evictions_closed ON public.chat_evictions USING btree (closed_at);

CREATE INDEX chat_external_webhooks_account ON public.chat_external_webhooks USING btree (account_id, id);

CREATE INDEX chat_messages_account ON public.chat_messages USING btree (account_id, id);

CREATE INDEX chat_messages_provider ON public.chat_messages USING btree (conversation_id, provider_message_id) WHERE (provider_message_id IS NOT NULL);

CREATE INDEX chat_messages_words ON public.chat_messages USING gin (crossfade.search_terms(content, account_id, id)) WITH (gin_pending_list_limit='64');

CREATE INDEX conversation_participants_user ON public.conversation_participants USING btree (user_id, conversation_id);

CREATE INDEX conversations_account_agent ON public.conversations USING btree (user_id, assigned_agent_id) WHERE (assigned_agent_id IS NOT NULL);

CREATE INDEX conversations_account_contact ON public.conversations USING btree (user_id, contact_jid);

CREATE INDEX conversations_account_recent ON public.conversations USING btree (user_id, COALESCE(last_message_at, created_at) DESC, id DESC);

CREATE INDEX conversations_account_updated ON public.conversations USING btree (user_id, updated_at);

CREATE INDEX conversations_asleep ON public.conversations USING btree (snoozed_until) WHERE (status = 'snoozed'::text);

CREATE INDEX conversations_of_channel ON public.conversations USING btree (user_id, channel, COALESCE(last_message_at, created_at) DESC, id DESC) INCLUDE (status);

CREATE INDEX conversations_of_status ON public.conversations USING btree (user_id, status, COALESCE(last_message_at, created_at) DESC, id DESC) INCLUDE (channel);

CREATE INDEX conversations_unread ON public.conversations USING btree (user_id, COALESCE(last_message_at, created_at) DESC, id DESC) INCLUDE (status, channel) WHERE (unread_count > 0);

CREATE INDEX idempotency_records_age ON public.idempotency_records USING btree (created_at);

CREATE INDEX legacy_listeners_age ON public.legacy_listeners USING btree (heard_at);

CREATE INDEX parity_windows_age ON public.parity_windows USING btree (window_start);

CREATE INDEX parked_events_replay ON public.parked_events USING btree (sink, id) WHERE (replay_requested_at IS NOT NULL);

CREATE UNIQUE INDEX rollout_approvals_waiting ON public.rollout_approvals USING btree (flag) WHERE (state = 'waiting'::text);

CREATE INDEX rollout_audit_flag ON public.rollout_audit USING btree (flag, id DESC);

CREATE UNIQUE INDEX rollout_operators_name ON public.rollout_operators USING btree (lower(name)) WHERE (revoked_at IS NULL);

CREATE INDEX rollout_sessions_expiry ON public.rollout_sessions USING btree (expires_at);

CREATE INDEX webhook_attempts_delivery ON ONLY public.webhook_attempts USING btree (delivery_id, number);

CREATE INDEX webhook_attempts_listed ON ONLY public.webhook_attempts USING btree (webhook_id, started_at, id);

CREATE INDEX webhook_deliveries_due ON ONLY public.webhook_deliveries USING btree (webhook_id, lane, next_at) WHERE (state = 'open'::text);

CREATE INDEX webhook_deliveries_fifo ON ONLY public.webhook_deliveries USING btree (webhook_id, conversation_id, log_id) WHERE (fifo AND (state = ANY (ARRAY['open'::text, 'sending'::text])));

CREATE INDEX webhook_deliveries_listed ON ONLY public.webhook_deliveries USING btree (webhook_id, logged_at, id);

CREATE INDEX webhook_deliveries_sending ON ONLY public.webhook_deliveries USING btree (webhook_id, next_at) WHERE (state = 'sending'::text);

CREATE INDEX webhook_notices_webhook ON public.webhook_notices USING btree (webhook_id, id);

CREATE INDEX webhook_queues_due ON public.webhook_queues USING btree (due_at);

CREATE INDEX webhook_queues_of_account ON public.webhook_queues USING btree (account_id, due_at) WHERE (due_at < 'infinity'::timestamp with time zone);

CREATE INDEX webhook_secrets_webhook ON public.webhook_secrets USING btree (webhook_id, id);

CREATE TRIGGER announce_api_key AFTER DELETE OR UPDATE OF scopes, rate_limit, send_rate_limit, expires_at, revoked_at, secret_hash ON public.chat_api_keys FOR EACH ROW EXECUTE FUNCTION crossfade.announce_api_key();

CREATE TRIGGER announce_events AFTER INSERT ON public.chat_events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION crossfade.announce_events();

CREATE TRIGGER announce_rollout AFTER INSERT OR DELETE OR UPDATE ON public.rollout_overrides FOR EACH ROW EXECUTE FUNCTION crossfade.announce_rollout();

CREATE TRIGGER announce_rollout AFTER INSERT OR UPDATE ON public.rollout_stages FOR EACH ROW EXECUTE FUNCTION crossfade.announce_rollout();

CREATE TRIGGER count_message_version BEFORE UPDATE OF content, status, metadata, provider_message_id, attachments, edited_at, deleted_at ON public.chat_messages FOR EACH ROW EXECUTE FUNCTION crossfade.count_message_version();

CREATE TRIGGER fill_message_account BEFORE INSERT ON public.chat_messages FOR EACH ROW WHEN ((new.account_id IS NULL)) EXECUTE FUNCTION crossfade.fill_message_account();

CREATE TRIGGER own_webhook_queue BEFORE INSERT ON public.webhook_queues FOR EACH ROW EXECUTE FUNCTION crossfade.own_webhook_queue();

CREATE TRIGGER refuse_rewriting BEFORE DELETE OR UPDATE ON public.rollout_audit FOR EACH ROW EXECUTE FUNCTION crossfade.refuse_rewriting();

ALTER TABLE ONLY public.chat_account_settings
    ADD CONSTRAINT chat_account_settings_account_id_fkey FOREIGN KEY (account_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_api_keys
    ADD CONSTRAINT chat_api_keys_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES public.chat_api_keys(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.chat_api_keys
    ADD CONSTRAINT chat_api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_attachments
    ADD CONSTRAINT chat_attachments_account_id_fkey FOREIGN KEY (account_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_attachments
    ADD CONSTRAINT chat_attachments_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.chat_messages(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.chat_channel_contacts
    ADD CONSTRAINT chat_channel_contacts_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES public.chat_channels(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_channel_contacts
    ADD CONSTRAINT chat_channel_contacts_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_channel_messages
    ADD CONSTRAINT chat_channel_messages_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES public.chat_channels(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_channel_messages
    ADD CONSTRAINT chat_channel_messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_channel_messages
    ADD CONSTRAINT chat_channel_messages_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.chat_messages(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_channel_sends
    ADD CONSTRAINT chat_channel_sends_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES public.chat_channels(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_channel_sends
    ADD CONSTRAINT chat_channel_sends_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.chat_messages(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_channels
    ADD CONSTRAINT chat_channels_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_evictions
    ADD CONSTRAINT chat_evictions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_external_webhooks
    ADD CONSTRAINT chat_external_webhooks_account_id_fkey FOREIGN KEY (account_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_message_versions
    ADD CONSTRAINT chat_message_versions_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.chat_messages(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.chat_messages
    ADD CONSTRAINT chat_messages_conversation_id_reply_to_id_fkey FOREIGN KEY (conversation_id, reply_to_id) REFERENCES public.chat_messages(conversation_id, id);

ALTER TABLE ONLY public.conversation_participants
    ADD CONSTRAINT conversation_participants_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.conversation_participants
    ADD CONSTRAINT conversation_participants_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.rollout_approvals
    ADD CONSTRAINT rollout_approvals_flag_fkey FOREIGN KEY (flag) REFERENCES public.rollout_stages(flag) ON DELETE CASCADE;

ALTER TABLE ONLY public.rollout_operators
    ADD CONSTRAINT rollout_operators_added_by_fkey FOREIGN KEY (added_by) REFERENCES public.rollout_operators(id);

ALTER TABLE ONLY public.rollout_overrides
    ADD CONSTRAINT rollout_overrides_flag_fkey FOREIGN KEY (flag) REFERENCES public.rollout_stages(flag) ON DELETE CASCADE;

ALTER TABLE ONLY public.rollout_plans
    ADD CONSTRAINT rollout_plans_flag_fkey FOREIGN KEY (flag) REFERENCES public.rollout_stages(flag) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_notices
    ADD CONSTRAINT webhook_notices_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.chat_external_webhooks(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_queues
    ADD CONSTRAINT webhook_queues_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.chat_external_webhooks(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.chat_external_webhooks(id) ON DELETE CASCADE;

ALTER TABLE crossfade.event_floor ENABLE ROW LEVEL SECURITY;

ALTER TABLE crossfade.write_probe ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.bridge_reports ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_account_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_api_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_attachments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_channel_contacts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_channel_messages ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_channel_sends ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_channels ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_evictions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_external_webhooks ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_message_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_messages ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.chat_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.conversation_participants ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.conversations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.idempotency_records ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.legacy_listeners ENABLE ROW LEVEL SECURITY;

CREATE POLICY members_read ON public.chat_messages FOR SELECT TO authenticated USING (crossfade.is_participant(conversation_id));

CREATE POLICY members_read ON public.conversation_participants FOR SELECT TO authenticated USING (crossfade.is_participant(conversation_id));

CREATE POLICY members_read ON public.conversations FOR SELECT TO authenticated USING (((user_id = ( SELECT auth.uid() AS uid)) OR crossfade.is_participant(id)));

ALTER TABLE public.parity_windows ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.parked_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.relay_cursors ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_approvals ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_audit ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_keepers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_operators ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_overrides ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_plans ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_stages ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.rollout_windows ENABLE ROW LEVEL SECURITY;

CREATE POLICY tokens_count ON public.chat_messages AS RESTRICTIVE FOR SELECT TO authenticated USING (( SELECT crossfade.token_counts() AS token_counts));

CREATE POLICY tokens_count ON public.conversation_participants AS RESTRICTIVE FOR SELECT TO authenticated USING (( SELECT crossfade.token_counts() AS token_counts));

CREATE POLICY tokens_count ON public.conversations AS RESTRICTIVE FOR SELECT TO authenticated USING (( SELECT crossfade.token_counts() AS token_counts));

ALTER TABLE public.webhook_attempts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_notices ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_queues ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_secrets ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA crossfade TO service_role;

GRANT ALL ON SCHEMA public TO postgres;
GRANT USAGE ON SCHEMA public TO anon;
GRANT USAGE ON SCHEMA public TO authenticated;
GRANT USAGE ON SCHEMA public TO service_role;
GRANT USAGE ON SCHEMA public TO supabase_realtime_admin;

REVOKE ALL ON FUNCTION crossfade.is_bounded(metadata jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.announce_api_key() FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.announce_events() FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.announce_rollout() FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.append_provider_status(message bigint, wanted text, provider_id text, reason text, via text) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.belongs(account uuid, person uuid) FROM PUBLIC;

GRANT SELECT ON TABLE public.conversations TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.conversations TO service_role;

REVOKE ALL ON FUNCTION crossfade.conversation_payload(conversation public.conversations, event_id uuid, seq bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.count_message_version() FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.drop_event_partitions(keep interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.drop_webhook_partitions(keep interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.end_membership(account uuid, person uuid, at_most integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.ensure_event_partitions(weeks_ahead integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.ensure_webhook_partitions(weeks_behind integer, weeks_ahead integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.fill_message_account() FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.is_evicted(person uuid, token_from timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.is_participant(conversation bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.is_participant(conversation bigint) TO authenticated;

GRANT SELECT ON TABLE public.chat_messages TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.chat_messages TO service_role;

REVOKE ALL ON FUNCTION crossfade.is_unread(message public.chat_messages, read_seq bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.iso8601(moment timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.mark_read(conversation bigint, reader uuid, upto bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.may_receive(topic text) FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.may_receive(topic text) TO authenticated;

REVOKE ALL ON FUNCTION crossfade.may_send(topic text) FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.may_send(topic text) TO authenticated;

REVOKE ALL ON FUNCTION crossfade.message_payload(message public.chat_messages, event_id uuid, seq bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.own_webhook_queue() FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.participants_json(conversation bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.preview(content text, message_type text) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.refuse_rewriting() FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.search_chunk(id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.search_chunk(id bigint) TO service_role;

REVOKE ALL ON FUNCTION crossfade.search_document(content text, account_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.search_place(account_id uuid, chunk bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.search_place(account_id uuid, chunk bigint) TO service_role;

REVOKE ALL ON FUNCTION crossfade.search_start(chunk bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.search_term(lexeme text) FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.search_term(lexeme text) TO service_role;

REVOKE ALL ON FUNCTION crossfade.search_terms(content text, account_id uuid, id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.search_terms(content text, account_id uuid, id bigint) TO service_role;

REVOKE ALL ON FUNCTION crossfade.takes_part(conversation bigint, person uuid, token_from timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.token_counts() FROM PUBLIC;
GRANT ALL ON FUNCTION crossfade.token_counts() TO authenticated;

REVOKE ALL ON FUNCTION crossfade.user_name(profile jsonb, email text) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.wake_conversations(at_most integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.webhook_attempt_shown(a public.webhook_attempts) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.webhook_delivery_shown(d public.webhook_deliveries) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.webhook_shown(w public.chat_external_webhooks, q public.webhook_queues) FROM PUBLIC;

REVOKE ALL ON FUNCTION crossfade.webhook_type(wanted text[], type text, direction text) FROM PUBLIC;

GRANT SELECT ON TABLE public.conversation_participants TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.conversation_participants TO service_role;

CREATE POLICY crossfade_receive ON realtime.messages FOR SELECT TO authenticated USING (((extension = ANY (ARRAY['broadcast'::text, 'presence'::text])) AND (topic = ( SELECT realtime.topic() AS topic)) AND crossfade.may_receive(( SELECT realtime.topic() AS topic))));
CREATE POLICY crossfade_send ON realtime.messages FOR INSERT TO authenticated WITH CHECK (((extension = ANY (ARRAY['broadcast'::text, 'presence'::text])) AND (topic = ( SELECT realtime.topic() AS topic)) AND crossfade.may_send(( SELECT realtime.topic() AS topic))));
CREATE POLICY crossfade_tokens_count ON realtime.messages FOR ALL TO authenticated USING (((( SELECT realtime.topic() AS topic) !~ '^(conversation|presence|user):'::text) OR ( SELECT crossfade.token_counts() AS token_counts)));
