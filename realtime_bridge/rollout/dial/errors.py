"""Refusals of an operator's wish. The text is a whole sentence for a person, who reads it on the command line.

RolloutError
├── NobodyFollows         no bridge follows the dial, or one does not, so turning it would not do what it says
├── UsersLeft             complete would cut off users who are left on legacy
├── NotCounted            who has moved could not be counted in time
├── OperatorRefused       an operator's key is missing or wrong, or there are too few operators
├── ApprovalNeeded        a second operator has to agree first
└── FlagProviderError     CROSSFADE_FLAG_PROVIDER names nothing usable
"""


class RolloutError(Exception):
    """Nothing was changed."""


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


class FlagProviderError(RolloutError):
    pass
