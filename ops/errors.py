"""Errors that an operator reads as one sentence. Raised beneath `ops`, shown by `ops.cli.main` with exit code 1.

OpsError
├── PostgresError      the embedded server did not start          (ops.machine.postgres)
├── DataDirError       the data directory cannot be used          (ops.machine.data_dir)
├── PortError          a port is taken                            (ops.machine.ports)
├── NotReady           there is no running stack                  (ops.embedded.ready)
├── OtherFacts         another version started the stack         (ops.embedded.ready)
├── NoProject          where the Auth API is, is not said         (ops.cli.options)
├── TwoDatabases       the environment names two databases        (ops.cli.options)
├── MigrationError     the schema cannot be brought up to date    (ops.migration)
├── ProcessError       a process did not start or will not stay   (ops.machine.supervisor)
├── DemoError          a side of the demo stayed silent           (ops.demo.sides)
├── NoAccount          there is no such account                   (here)
├── KeysError          there is no such key                       (ops.cli.keys)
├── AuthAdminError     the project's Auth API refused             (ops.cli.auth_admin)
├── UsersError         there is no such user                      (ops.cli.users)
├── SubjectError       nobody, or more than one, has that name    (ops.cli.rollout.subjects)
├── WebhooksError      there is no such webhook, or not now       (ops.cli.webhooks.endpoint)
├── ListenError        the API gives no events to forward         (ops.cli.webhooks.sources)
├── PlotError          matplotlib is not installed                (ops.cli.parity.plot)
└── LauncherError      the local Supabase could not be started    (ops.local_supabase.launcher)
"""


class OpsError(RuntimeError):
    """The text is a whole sentence: what is wrong and what to do."""


class NoAccount(OpsError):
    """Nobody has this id."""

    def __init__(self, account_id: object, more: str = "") -> None:
        super().__init__(f"There is no user {account_id}; an account is a row of auth.users.{more}")
