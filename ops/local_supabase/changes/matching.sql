-- name: matching
-- One answer per filter, in order.
select realtime.local_matches(value_type, operator, value, wanted, negated)
from unnest(%(types)s::text[], %(operators)s::text[], %(values)s::text[], %(wanted)s::text[], %(negated)s::boolean[])
    with ordinality as conditions (value_type, operator, value, wanted, negated, position)
order by position
