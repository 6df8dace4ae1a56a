"""Names of Supabase's channels."""

from uuid import UUID


def conversation_topic(conversation_id: int) -> str:
    return f"conversation:{conversation_id}"


def inbox_topic(user_id: UUID) -> str:
    return f"user:{user_id}:inbox"
