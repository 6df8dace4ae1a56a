"""Errors that an operator reads as one sentence. Raised beneath `ops`, shown by `ops.cli.main` with exit code 1.

OpsError               whatever nobody tells apart
├── PostgresError      the embedded server did not start          (ops.machine.postgres)
├── NotReady           there is no running stack                  (ops.embedded.ready)
├── NoAccount          there is no such account                   (here)
├── AuthAdminError     the project's Auth API refused             (ops.cli.auth_admin)
├── RefusedError       a side does not let the demo in            (ops.demo.sides)
└── PlotError          matplotlib is not installed                (ops.cli.parity.plot)
"""


class OpsError(RuntimeError):
    """The text is a whole sentence: what is wrong and what to do."""


class NoAccount(OpsError):
    """Nobody has this id."""

    def __init__(self, account_id: object, more: str = "") -> None:
        super().__init__(f"There is no user {account_id}; an account is a row of auth.users.{more}")
