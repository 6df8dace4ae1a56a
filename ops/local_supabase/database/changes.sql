-- Helpers of the local endpoint's postgres_changes: the log carries text, these give it its type back.
-- Types are what format_type() calls them, as on the real server: char(n) and bit(n) lose all but their first letter.

-- Null for a number that JSON cannot say.
create or replace function realtime.local_finite(value_type text, value text) returns text
language sql stable
as $$
    select case
        when value in ('NaN', 'Infinity', '-Infinity')
            and value_type::regtype in ('numeric'::regtype, 'float4'::regtype, 'float8'::regtype) then null
        else value
    end
$$;

create or replace function realtime.local_json(value_type text, value text)
returns jsonb
language plpgsql stable
set datestyle = 'ISO' set timezone = 'UTC'
as $$
declare
    result jsonb;
begin
    value := realtime.local_finite(value_type, value);
    if value is null then
        return 'null';
    end if;
    if value_type::regtype = 'bytea'::regtype then
        return to_jsonb(substr(value, 3));
    end if;
    execute format('select to_jsonb($1::%s)', value_type) into result using value;
    return result;
end
$$;

-- Whether a value passes a filter; a null on either side passes none but `is` and `isdistinct`.
-- What has no form in JSON came as null to the real server's filters, too.
create or replace function realtime.local_matches(
    value_type text, operator text, value text, wanted text, negated boolean
) returns boolean
language plpgsql stable
as $$
declare
    expression text;
    result boolean;
begin
    value := realtime.local_finite(value_type, value);
    expression := case operator
        when 'eq' then '$1::%1$s = $2::%1$s'
        when 'neq' then '$1::%1$s <> $2::%1$s'
        when 'lt' then '$1::%1$s < $2::%1$s'
        when 'lte' then '$1::%1$s <= $2::%1$s'
        when 'gt' then '$1::%1$s > $2::%1$s'
        when 'gte' then '$1::%1$s >= $2::%1$s'
        when 'in' then '$1::%1$s = any ($2::%1$s[])'
        when 'like' then '$1::text like $2'
        when 'ilike' then '$1::text ilike $2'
        when 'match' then '$1::text ~ $2'
        when 'imatch' then '$1::text ~* $2'
        when 'isdistinct' then '$1::%1$s is distinct from $2::%1$s'
    end;
    if operator = 'is' then
        result := case wanted
            when 'null' then value is null
            when 'true' then value = 't'
            when 'false' then value = 'f'
            when 'unknown' then value is null
        end;
    else
        execute format('select ' || expression, value_type) into result using value, wanted;
    end if;
    return coalesce(result <> negated, false);
end
$$;

-- Every column that a caller selects has to be one that its role may read.
create or replace function realtime.local_check_selected(entity oid, caller text, selected text[]) returns void
language plpgsql stable
as $$
declare
    wanted text;
begin
    foreach wanted in array selected loop
        if not realtime.local_may_read(entity, caller, wanted) then
            raise exception 'invalid column for select %', wanted;
        end if;
    end loop;
end
$$;

create or replace function realtime.local_may_read(entity oid, caller text, wanted text) returns boolean
language sql stable
as $$
    select exists (
        select
        from pg_catalog.pg_attribute a
        where a.attrelid = entity and a.attname = wanted and a.attnum > 0 and not a.attisdropped
            and has_column_privilege(caller, a.attrelid, a.attnum, 'select')
    )
$$;

-- A filter has to name a column that the role may read, an operator that its type has, and a value of that type.
create or replace function realtime.local_check_filter(
    entity oid, caller text, wanted_column text, operator text, wanted text
) returns void
language plpgsql stable
as $$
declare
    column_type regtype := (
        select atttypid from pg_catalog.pg_attribute where attrelid = entity and attname = wanted_column
    );
    symbol text := case operator
        when 'like' then '~~' when 'ilike' then '~~' when 'match' then '~' when 'imatch' then '~*'
    end;
begin
    if not realtime.local_may_read(entity, caller, wanted_column) then
        raise exception 'invalid column for filter %', wanted_column;
    end if;
    if symbol is not null and not exists (
        select
        from pg_catalog.pg_operator
        where oprname = symbol and oprleft = column_type and oprresult = 'boolean'::regtype
            and (symbol = '~~' or oprright = column_type)
    ) then
        raise exception 'operator % requires a text-compatible column type, got %', operator, column_type;
    end if;
    case operator
        when 'in' then
            if coalesce(jsonb_array_length(realtime.local_json(column_type || '[]', wanted)), 0) > 100 then
                raise exception 'too many values for `in` filter. Maximum 100';
            end if;
        when 'is' then
            if wanted not in ('null', 'true', 'false', 'unknown') then
                raise exception 'invalid value for is filter: must be null, true, false, or unknown';
            elsif wanted <> 'null' and column_type <> 'boolean'::regtype then
                raise exception 'is % filter requires a boolean column, got %', wanted, column_type;
            end if;
        when 'like', 'ilike' then null;
        when 'match', 'imatch' then
            begin
                perform '' ~ wanted;
            exception
                when others then
                    raise exception 'invalid regular expression for % filter: %', operator, sqlerrm;
            end;
        else perform realtime.local_json(column_type::text, wanted);
    end case;
end
$$;

revoke execute on function realtime.local_finite(text, text) from public;
revoke execute on function realtime.local_may_read(oid, text, text) from public;
revoke execute on function realtime.local_check_selected(oid, text, text[]) from public;
revoke execute on function realtime.local_check_filter(oid, text, text, text, text) from public;
revoke execute on function realtime.local_json(text, text) from public;
revoke execute on function realtime.local_matches(text, text, text, text, boolean) from public;
