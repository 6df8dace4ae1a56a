"""Users and accounts as an operator names them: id or address. Used by `crossfade rollout`."""

from uuid import UUID

from ops.errors import OpsError
from realtime_bridge.rollout.dial.store import Connection
from realtime_bridge.shared import sql

_QUERIES = sql.AsyncQueries(__file__)


async def find_email(connection: Connection, user_id: UUID) -> str | None:
    email: str | None = await _QUERIES.find_value(connection, "find_email", user_id=user_id)
    return email


async def find_user(connection: Connection, name: str) -> UUID:
    """Return the user's id. An id is taken as it is: an override may be there before its user. Raises OpsError."""
    try:
        return UUID(name)
    except ValueError:
        pass
    found: list[UUID] = await _QUERIES.list_values(connection, "find_by_email", email=name)
    if not found:
        raise OpsError(f"There is no user {name}: name an id, or the e-mail address of a user of the project.")
    if len(found) > 1:
        raise OpsError(f"{name} is the address of {len(found)} users; name one by id: {', '.join(map(str, found))}.")
    return found[0]
