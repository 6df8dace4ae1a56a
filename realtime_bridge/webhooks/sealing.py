"""What a webhook's secrets and headers are sealed for. Pure; the gateway seals, the sender opens."""

from uuid import UUID


def secrets_context(account_id: UUID) -> str:
    """Bind sealed texts to their account: copied to another one they do not open."""
    return f"webhooks of {account_id}"
