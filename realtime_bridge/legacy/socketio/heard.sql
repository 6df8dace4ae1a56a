-- name: find_told
-- Up to which id the sink has published everything: below the lowest hole.
select coalesce((select min((hole ->> 'first')::bigint) - 1 from jsonb_array_elements(holes) as hole), high_water)
from public.relay_cursors where sink = 'legacy'

-- name: note_heard
update public.bridge_reports set heard = %(heard)s where bridge = %(bridge)s
