"""Errors that an operator reads as one sentence. Raised beneath `ops`, shown by `ops.cli.main` with exit code 1.

OpsError
├── PostgresError      the embedded server did not start          (ops.embedded.postgres)
├── DataDirError       the data directory cannot be used          (ops.embedded.data_dir)
├── PortError          a port is taken                            (ops.embedded.ports)
├── ProcessError       a process did not start or will not stay   (ops.embedded.supervisor)
└── DemoError          a side of the demo stayed silent           (ops.cli.demo)
"""


class OpsError(RuntimeError):
    """The text is a whole sentence: what is wrong and what to do."""
