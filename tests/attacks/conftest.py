"""Fixtures of the gateway's own tests, for attacks on it."""

from tests.integration.gateway.conftest import (
    account,
    app,
    database_url,
    gateway_url,
    limits_url,
    new_account,
    running_app,
    settings,
)

__all__ = ["account", "app", "database_url", "gateway_url", "limits_url", "new_account", "running_app", "settings"]
