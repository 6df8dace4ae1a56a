"""The official JavaScript clients, of today and of a year ago, unmodified, under Node and in a browser."""

from pathlib import Path

import pytest

from tests.acceptance.local_supabase.guest import Guest
from tests.acceptance.local_supabase.javascript import Report, administer, run_in_chromium, run_under_node
from tests.browser import find_chromium

CHECKS = [
    "joins",
    "broadcasts",
    "databaseBroadcast",
    "httpBroadcast",
    "presence",
    "changes",
    "refresh",
    "replay",
    "restart",
]
PACKAGES = ["@supabase/supabase-js", "@supabase/realtime-js", "supabase-js-last-year", "realtime-js-last-year"]
BROWSER_PACKAGES = ["@supabase/supabase-js", "supabase-js-last-year"]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_client_works_under_node(package: str, guest: Guest) -> None:
    """Join, broadcast, presence, changes, refresh, replay and a restart, as an application uses them."""
    _check(run_under_node(package, guest), with_auth="supabase-js" in package)


@pytest.mark.parametrize("package", BROWSER_PACKAGES)
def test_the_client_works_in_a_browser(package: str, guest: Guest, tmp_path: Path) -> None:
    """The same in headless Chromium, from another origin, with preflights."""
    _check(run_in_chromium(find_chromium(), package, guest, tmp_path), with_auth=True)


def test_administrators_keep_users(guest: Guest) -> None:
    """supabase-js lists, changes, bans and deletes them, softly, too; each refusal has Auth's code."""
    assert administer(guest) == {
        "newest": ["eva", "ben"],
        "pages": [2, True, True],
        "all": 3,
        "changed": [
            "anna",
            "anna",
            {
                "provider": "email",
                "providers": ["email"],
                "chat_accounts": ["a0000000-0000-4000-8000-000000000001"],
            },
            {"b": 2, "c": 3},
        ],
        "signsIn": True,
        "banned": "user_banned",
        "letIn": None,
        "taken": "Error updating user",
        "gone": "user_not_found",
        "forgotten": [False, True, {}, {}],
        "errors": ["user_not_found", "validation_failed", "weak_password", "validation_failed"],
    }


def _check(reports: list[Report], *, with_auth: bool) -> None:
    failed = [report for report in reports if not report["ok"]]
    assert not failed, "\n".join(f"{report['check']}: {report['note']}" for report in failed)
    wanted = (["auth"] if with_auth else []) + CHECKS
    assert [report["check"] for report in reports] == wanted
