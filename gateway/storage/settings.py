"""File store that the environment asks for."""

from enum import StrEnum
from pathlib import Path

from gateway.storage.base import FileStore
from gateway.storage.directory import DirectoryStore
from gateway.storage.supabase import SupabaseStore
from realtime_bridge.shared import variables
from realtime_bridge.shared.environment import Environment


class StorageKind(StrEnum):
    """`directory` is for one machine; `supabase` is a private bucket of the project; `off` answers 501."""

    OFF = "off"
    DIRECTORY = "directory"
    SUPABASE = "supabase"


def file_store(env: Environment) -> FileStore | None:
    """Return the store, which is connected to nothing yet."""
    kind = env.choice("CROSSFADE_STORAGE", StorageKind, default=StorageKind.OFF)
    if kind is StorageKind.DIRECTORY:
        return DirectoryStore(Path(env.text("CROSSFADE_STORAGE_DIR")).resolve())
    if kind is StorageKind.OFF:
        return None
    url, key = variables.supabase_url(env), variables.supabase_secret_key(env)
    if url is None or key is None:
        missing = "SUPABASE_URL" if url is None else "SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY"
        return env.wrong(f"Set {missing}: CROSSFADE_STORAGE=supabase needs it.", None)
    return SupabaseStore(url, key, env.text("CROSSFADE_STORAGE_BUCKET", default="chat-attachments"))
