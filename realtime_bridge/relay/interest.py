"""Accounts whose events a sink does something for, learned from its pages. Pure; a hint to its relay, and no more.

An event of any other account waits for the relay's next look instead of waking it: most accounts have no webhook and no
channel, and a round for each of their messages costs as much as one that delivers.
"""

from collections.abc import Iterable
from uuid import UUID

MOST = 10_000  # accounts; with more all are forgotten, which costs each of them one wait for a look


class Interest:
    def __init__(self) -> None:
        self._accounts: set[str] = set()

    def learn(self, seen: Iterable[UUID], concerned: Iterable[UUID]) -> None:
        """Note of which of the accounts `seen` on a page something was done for."""
        if len(self._accounts) > MOST:
            self._accounts.clear()
        self._accounts.difference_update(map(str, seen))
        self._accounts.update(map(str, concerned))

    def __contains__(self, account_id: object) -> bool:
        return account_id in self._accounts
