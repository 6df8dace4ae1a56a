"""User of the canary, whom nobody must take for a person. Pure; holds no key and is no account."""

from uuid import NAMESPACE_URL, uuid5

CANARY_ID = uuid5(NAMESPACE_URL, "crossfade:canary")
CANARY_EMAIL = "canary@crossfade.invalid"
