"""Access to the embedded Postgres. Its superuser can run programs, so its port does not lead there.

Over TCP a password is asked, of the ordinary roles that have one; `supabase_admin` comes by a unix socket in a
directory of the server's own, as the system user that started it. Written before every start: older data directories
trusted all.
"""

import hashlib
import os
import pwd
from pathlib import Path
from urllib.parse import quote

from ops.errors import OpsError

SUPERUSER = "supabase_admin"  # Supabase's own superuser; `postgres` is an ordinary role there, and so here
SOCKET_NAME_BYTES = len("/.s.PGSQL.65535.lock")
SOCKET_PATH_BYTES = 100  # the kernel takes 107 (Linux) or 103 (macOS)
_MAP = "crossfade"
_RULES = f"""\
# Written by `crossfade` before every start.
local all,replication {SUPERUSER} peer map={_MAP}
local all,replication all scram-sha-256
host all,replication {SUPERUSER} all reject
host all,replication all 127.0.0.1/32 scram-sha-256
"""


def write_rules(data_dir: Path) -> None:
    """Replace pg_hba.conf and pg_ident.conf."""
    owner = data_dir.stat().st_uid  # another one than ours when we are root
    names = {pwd.getpwuid(user).pw_name for user in (os.geteuid(), owner)}
    people = "".join(f"{_MAP} {name} {SUPERUSER}\n" for name in sorted(names))
    for name, text in (("pg_ident.conf", people), ("pg_hba.conf", _RULES)):
        (data_dir / name).write_text(text)
        os.chown(data_dir / name, owner, -1)


def socket_directory(data_dir: Path) -> Path:
    """The data directory itself, or, where its path is too long for a socket, one beside the temporary files."""
    if len(str(data_dir).encode()) + SOCKET_NAME_BYTES <= SOCKET_PATH_BYTES:
        return data_dir
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    return Path("/tmp") / f"crossfade-postgres-{os.geteuid()}-{name}"  # noqa: S108 - its owner is checked


def make_socket_directory(data_dir: Path, owner: int) -> None:
    """Promises a socket directory that only `owner` may enter. Raises OpsError when it is somebody else's."""
    directory = socket_directory(data_dir)
    if directory == data_dir:
        return
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid not in (os.geteuid(), owner):
        raise OpsError(f"{directory} belongs to somebody else: remove it, or choose a shorter --data-dir.")
    os.chown(directory, owner, -1)
    directory.chmod(0o700)


def superuser_url(data_dir: Path, port: int, database: str) -> str:
    """Good for the system user that started the server, on this machine."""
    host = quote(str(socket_directory(data_dir)), safe="")
    return f"postgresql://{SUPERUSER}@/{database}?host={host}&port={port}"
