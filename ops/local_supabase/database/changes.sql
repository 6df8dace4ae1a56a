-- Helpers of the local endpoint's postgres_changes: the log carries text, these give it its type back.
-- Types are quoted names from the catalog (pg_catalog.bpchar has no length, `character` would cut to one).

create or replace function realtime.local_json(value_type text, value text)
returns jsonb
language plpgsql stable
set datestyle = 'ISO' set timezone = 'UTC'
as $$
declare
    result jsonb;
begin
    if value is null or (value in ('NaN', 'Infinity', '-Infinity')
        and value_type::regtype in ('numeric'::regtype, 'float4'::regtype, 'float8'::regtype)) then
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
create or replace function realtime.local_matches(
    value_type text, operator text, value text, wanted text, negated boolean
) returns boolean
language plpgsql stable
as $$
declare
    expression text;
    result boolean;
begin
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
        result := case lower(wanted)
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

revoke execute on function realtime.local_json(text, text) from public;
revoke execute on function realtime.local_matches(text, text, text, text, boolean) from public;
