"""Deliveries and attempts of one account's webhooks: look, send again, recover. One transaction each."""

from uuid import UUID

from gateway.database import Connection, Database
from gateway.domain.conflicts import AlreadyDelivered
from gateway.domain.pages import Page, Position
from gateway.domain.webhooks import AttemptFilter, DeliveryFilter, Recovered, Recovery, Retried
from gateway.errors import there
from gateway.services.webhooks import enabled, looking
from gateway.store import webhook_deliveries as store

NO_SUCH_DELIVERY = "There is no such delivery."
RECOVER_AT_MOST = 10_000  # a call; the answer says whether there is more, and the next call goes on there


def list_sent(
    database: Database,
    account_id: UUID,
    webhook_id: int,
    chosen: DeliveryFilter | AttemptFilter,
    *,
    limit: int,
    after: Position | None,
) -> Page:
    """Return a page of deliveries, or of attempts if these are chosen."""
    with looking(database, account_id, webhook_id) as connection:
        return store.list_sent(connection, account_id, webhook_id, chosen, limit=limit, after=after)


def get_delivery(database: Database, account_id: UUID, webhook_id: int, delivery_id: int) -> str:
    with looking(database, account_id, webhook_id) as connection:
        return there(store.find_delivery(connection, account_id, webhook_id, delivery_id), NO_SUCH_DELIVERY)


def replay(database: Database, account_id: UUID, webhook_id: int, delivery_id: int) -> str:
    """Send one delivery again, with the same id; one that is still open is on its way already."""
    with enabled(database, account_id, webhook_id) as connection:
        store.replay(connection, account_id, webhook_id, delivery_id)
        shown = there(store.find_delivery(connection, account_id, webhook_id, delivery_id), NO_SUCH_DELIVERY)
        store.announce(connection, webhook_id)
        return shown


def recover(database: Database, account_id: UUID, webhook_id: int, range_: Recovery) -> Recovered:
    """Deliver what failed or was never queued in a range of time, at most RECOVER_AT_MOST events of each a call."""
    with enabled(database, account_id, webhook_id) as connection:
        failed, missing = store.recover(connection, account_id, webhook_id, range_, limit=RECOVER_AT_MOST)
        store.announce(connection, webhook_id)
    return Recovered(failed=failed, missing=missing, has_more=RECOVER_AT_MOST in (failed, missing))


def retry_delivery(database: Database, account_id: UUID, webhook_id: int, delivery_id: int) -> str:
    """Try one delivery at once, without its wait and the endpoint's rest.

    One that waits keeps its attempts and its lane; what must go before it, in a FIFO conversation, is due with it. One
    that has failed for good has one more attempt, as a replay has. One that is being sent, or due, stays as it is.
    """
    with enabled(database, account_id, webhook_id) as connection:
        state = there(store.find_state(connection, account_id, webhook_id, delivery_id), NO_SUCH_DELIVERY)
        if state == "delivered":
            raise AlreadyDelivered("Ask for its replay to have it sent once more.")
        if state == "failed":
            store.replay(connection, account_id, webhook_id, delivery_id)
        store.bring_one_forward(connection, account_id, webhook_id, delivery_id, limit=RECOVER_AT_MOST)
        _go_on(connection, webhook_id)
    return get_delivery(database, account_id, webhook_id, delivery_id)


def retry(database: Database, account_id: UUID, webhook_id: int) -> Retried:
    """Deliver at once what waits for its next attempt, and end the endpoint's rest."""
    with enabled(database, account_id, webhook_id) as connection:
        retried = store.bring_forward(connection, account_id, webhook_id, limit=RECOVER_AT_MOST)
        _go_on(connection, webhook_id)
    return Retried(retried=retried, has_more=retried == RECOVER_AT_MOST)


def _go_on(connection: Connection, webhook_id: int) -> None:
    store.end_rest(connection, webhook_id)
    store.announce(connection, webhook_id)
