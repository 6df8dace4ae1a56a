"""The one statement that adds a message. The gateway runs it for REST, the bridge for legacy clients and its canary."""

from realtime_bridge.shared import sql

APPEND_MESSAGE = sql.Statements(__file__)["append_message"]
"""Takes conversation_id, account_id, event_id, content, message_type, direction, status, client_message_id, sender_id,
reply_to_id, metadata and attachments (JSON texts) and unread (0 or 1); returns id and payload as text, or no row when
the account has no such conversation. Raises UniqueViolation for a client_message_id that is taken."""
