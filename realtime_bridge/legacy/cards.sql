-- name: read_cards
-- Conversations as they are now, each with its people by name and the newest message that was not deleted.
select
    c.id as conversation_id,
    crossfade.conversation_payload(c, null, c.last_seq) as conversation,
    array(
        select jsonb_build_object(
            'id', p.user_id, 'name', coalesce(crossfade.user_name(u.raw_user_meta_data, u.email), initcap(p.role))
        )
        from public.conversation_participants p
        join auth.users u on u.id = p.user_id
        where p.conversation_id = c.id
        order by p.user_id
    ) as people,
    (
        select jsonb_build_object(
            'id', m.id,
            'content', coalesce(nullif(m.content, ''), crossfade.preview(m.content, m.message_type)),
            'senderId', m.sender_id,
            'direction', m.direction,
            'createdAt', crossfade.iso8601(m.created_at)
        )
        from public.chat_messages m
        where m.conversation_id = c.id and m.deleted_at is null
        order by m.seq desc
        limit 1
    ) as last_message,
    exists (
        select from public.chat_channel_contacts w where w.conversation_id = c.id
    ) as is_whatsapp,
    exists (
        select from public.chat_account_settings s where s.account_id = c.user_id and s.content_html
    ) as wants_html
from public.conversations c
where c.id = any(%(conversation_ids)s)
