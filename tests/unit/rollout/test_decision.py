"""Who is told what: raising the dial only adds, whatever overrides there are."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from realtime_bridge.rollout.dial.bucket import BUCKETS
from realtime_bridge.rollout.dial.decision import Kind, Overrides, Reading, Source
from realtime_bridge.rollout.dial.stages import FLAG, Stage, StageName
from realtime_bridge.shared.variables import Told

START = datetime(2026, 1, 1, tzinfo=UTC)
IDS = st.uuids()
OVERRIDES = st.dictionaries(st.tuples(st.sampled_from(Kind), IDS), st.sampled_from(Told), max_size=4)


def reading(buckets: int, overrides: Overrides) -> Reading:
    stage = Stage(name=StageName.RAMP, buckets=buckets)
    return Reading(flag=FLAG, stage=stage, version=1, revision=1, since=START, overrides=overrides)


@given(
    users=st.lists(IDS, min_size=1, max_size=20),
    account=IDS,
    steps=st.tuples(st.integers(1, BUCKETS), st.integers(1, BUCKETS)).map(sorted),
    overrides=OVERRIDES,
    overridden=st.data(),
)
def test_raising_the_percentage_only_adds(
    users: list[UUID],
    account: UUID,
    steps: list[int],
    overrides: dict[tuple[Kind, UUID], Told],
    overridden: st.DataObject,
) -> None:
    """For any p < q and any ids: who is told Supabase at p is told it at q, too; an override is obeyed at both."""
    some = overridden.draw(st.lists(st.sampled_from(users), max_size=3))
    overrides |= {(Kind.USER, user): overridden.draw(st.sampled_from(Told)) for user in some}
    lower, higher = (reading(buckets, overrides) for buckets in steps)
    for user in users:
        before, after = lower.decide(user, account), higher.decide(user, account)
        assert (before.provider, after.provider) != (Told.SUPABASE, Told.SOCKETIO)
        assert before.bucket == after.bucket
        if (Kind.USER, user) in overrides:
            wanted = overrides[Kind.USER, user]
            assert (after.source, before.provider, after.provider) == (Source.OVERRIDE, wanted, wanted)


@given(user=IDS, account=IDS, overrides=OVERRIDES)
def test_the_ends_of_the_dial_leave_no_choice(user: UUID, account: UUID, overrides: Overrides) -> None:
    """At off nobody and at complete everybody is told Supabase, whatever overrides say; at 100 % all but overrides."""
    for name, told in ((StageName.OFF, Told.SOCKETIO), (StageName.COMPLETE, Told.SUPABASE)):
        stage = Stage(name=name, buckets=0 if name is StageName.OFF else BUCKETS)
        ends = Reading(flag=FLAG, stage=stage, version=1, revision=1, since=START, overrides=overrides)
        assert ends.decide(user, account).provider is told
    whole = reading(BUCKETS, overrides).decide(user, account)
    assert whole.source is Source.OVERRIDE or whole.provider is Told.SUPABASE
