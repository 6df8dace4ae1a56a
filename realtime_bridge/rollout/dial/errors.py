"""Refusals of an operator's wish. The text is a whole sentence for a person, who reads it on the command line.

RolloutError
├── StageRefused          the change skips a stage or is none at all
├── VersionConflict       somebody else turned the dial meanwhile
├── GateHolds             the gate has not passed (too few samples, say)
├── NobodyFollows         no bridge follows the dial, or one does not, so turning it would not do what it says
├── UsersLeft             complete would cut off users who are left on legacy
├── NotCounted            who has moved could not be counted in time
├── OperatorRefused       an operator's key is missing or wrong, or there are too few operators
├── ApprovalNeeded        a second operator has to agree first
├── ApprovalRefused       there is nothing to approve, or it is one's own wish
├── PlanRefused           the plan is unreadable, skips a stage, or there is none
├── PolicyRefused         a gate setting that does not exist or makes no sense
└── FlagProviderError     CROSSFADE_FLAG_PROVIDER names nothing usable
"""


class RolloutError(Exception):
    """Nothing was changed."""


class StageRefused(RolloutError):
    pass


class VersionConflict(RolloutError):
    pass


class GateHolds(RolloutError):
    pass


class NobodyFollows(RolloutError):
    pass


class UsersLeft(RolloutError):
    pass


class NotCounted(RolloutError):
    pass


class OperatorRefused(RolloutError):
    pass


class ApprovalNeeded(RolloutError):
    pass


class ApprovalRefused(RolloutError):
    pass


class PlanRefused(RolloutError):
    pass


class PolicyRefused(RolloutError):
    pass


class FlagProviderError(RolloutError):
    pass
