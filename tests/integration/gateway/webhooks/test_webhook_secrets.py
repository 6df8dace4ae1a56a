"""A webhook's secrets: rotated with an overlap, bounded in number."""

from gateway.services import webhooks as service
from realtime_bridge.webhooks.contract import signing
from tests.integration.gateway.conftest import Account, data, problem
from tests.integration.gateway.webhooks.making import delete, make


def test_secrets_rotate_with_an_overlap(owner: Account) -> None:
    """After a rotation both secrets are live, the old one until the overlap ends; the last one stays."""
    made = make(owner, secret=signing.new_secret())
    path = f"/webhooks/{made['id']}/secrets"
    rotated = owner.post(path, {"overlapSeconds": 3600})
    assert rotated.status_code == 201
    assert data(rotated)["secret"] != made["secret"]
    newest, oldest = data(owner.get(path))
    assert newest["expiresAt"] is None
    assert oldest["expiresAt"] is not None
    assert oldest["hint"] == made["secret"][-4:]
    assert delete(owner, f"{path}/{oldest['id']}").status_code == 204
    problem(delete(owner, f"{path}/{newest['id']}"), 409, "last_secret")
    problem(delete(owner, f"{path}/{oldest['id']}"), 404, "not_found")


def test_a_rotation_without_overlap_ends_the_old_secret_at_once(owner: Account) -> None:
    """For a secret that leaked."""
    path = f"/webhooks/{make(owner)['id']}/secrets"
    owner.post(path, {"overlapSeconds": 0})
    assert len(data(owner.get(path))) == 1


def test_no_more_than_five_secrets_are_live(owner: Account) -> None:
    """Each one signs every request."""
    path = f"/webhooks/{make(owner)['id']}/secrets"
    for _ in range(service.MAX_LIVE_SECRETS - 1):
        assert owner.post(path, {}).status_code == 201
    problem(owner.post(path, {}), 409, "too_many_secrets")
