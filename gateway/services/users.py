"""Users whom an account may name as participant or agent. The project says who belongs to it.

Who belongs to which is kept in `app_metadata`, and asked in the database (crossfade.belongs). Where all accounts are of
one owner, `crossfade users scope everybody` lets each name every user of the project.
"""

from collections.abc import Sequence
from uuid import UUID

from gateway.database import Connection
from gateway.errors import FieldError, ValidationFailed
from gateway.store import users

# The same whether nobody has the id or somebody else's user.
UNKNOWN_USER = "Send the id of a user of this account; the project's operator says who is one (crossfade users allow)."


def check_users(connection: Connection, account_id: UUID, named: Sequence[tuple[str, UUID]]) -> None:
    """Raise ValidationFailed, with the pointers of `named`, for users whom the account may not name."""
    if not named:
        return
    unknown = users.find_unknown_users(connection, account_id, [user_id for _, user_id in named])
    faults = [unknown_user(pointer) for pointer, user_id in named if user_id in unknown]
    if faults:
        raise ValidationFailed(*faults)


def unknown_user(pointer: str) -> FieldError:
    return FieldError(pointer=pointer, code="unknown_user", detail=UNKNOWN_USER)
