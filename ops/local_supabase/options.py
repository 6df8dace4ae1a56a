"""Options that choose how the endpoint behaves. Of its own command, and of whatever starts it."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ops.local_supabase.settings import Limits, Plan

Command = TypeVar("Command", bound=Callable[..., Any])


def behaviour_options(command: Command) -> Command:
    """Add `--plan`, which stays the word that was typed, and `--slot-delay-s`."""
    plan = click.option(
        "--plan",
        default=Plan.UNLIMITED.value,
        show_default=True,
        metavar=f"[{'|'.join(Plan)}|NUMBER]",
        callback=_check_plan,
        help="Apply the Realtime quotas of a hosted plan, or so many messages per second.",
    )
    slot_delay = click.option(
        "--slot-delay-s",
        type=click.FloatRange(0, 600),
        default=0.0,
        show_default=True,
        help="Hear the database only so long after a start (hosted: 3 to 5 s); what is sent before is lost.",
    )
    return plan(slot_delay(command))


def process_options(*, plan: str, slot_delay_s: float, private_only: bool) -> tuple[str, ...]:
    """Return the same for `python -m ops.local_supabase`."""
    options = ("--plan", plan, "--slot-delay-s", str(slot_delay_s))
    return (*options, "--private-only") if private_only else options


def _check_plan(_context: click.Context, _option: click.Parameter, plan: str) -> str:
    try:
        Limits.of_plan(plan)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return plan
