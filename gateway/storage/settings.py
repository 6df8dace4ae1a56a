"""Settings of the file store, read from the environment."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

from gateway.storage.base import FileStore
from gateway.storage.directory import DirectoryStore
from gateway.storage.supabase import SupabaseStore
from realtime_bridge.shared import variables
from realtime_bridge.shared.environment import Environment


class StorageKind(StrEnum):
    OFF = "off"
    DIRECTORY = "directory"
    SUPABASE = "supabase"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """`directory` is for one machine; `supabase` is a private bucket of the project; `off` answers 501."""

    kind: StorageKind = StorageKind.OFF
    directory: Path = Path()
    supabase_url: str = ""
    supabase_secret_key: str = field(default="", repr=False)
    bucket: str = "chat-attachments"

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        kind = env.choice("CROSSFADE_STORAGE", StorageKind, default=StorageKind.OFF)
        if kind is StorageKind.DIRECTORY:
            return cls(kind=kind, directory=Path(env.text("CROSSFADE_STORAGE_DIR")).resolve())
        if kind is StorageKind.SUPABASE:
            url, key = variables.supabase_url(env), variables.supabase_secret_key(env)
            if url is None or key is None:
                missing = "SUPABASE_URL" if url is None else "SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY"
                return env.wrong(f"Set {missing}: CROSSFADE_STORAGE=supabase needs it.", cls())
            return cls(
                kind=kind,
                supabase_url=url,
                supabase_secret_key=key,
                bucket=env.text("CROSSFADE_STORAGE_BUCKET", default="chat-attachments"),
            )
        return cls()

    def open(self) -> FileStore | None:
        """Return the store; connects to nothing yet."""
        if self.kind is StorageKind.DIRECTORY:
            return DirectoryStore(self.directory)
        if self.kind is StorageKind.SUPABASE:
            return SupabaseStore(self.supabase_url, self.supabase_secret_key, self.bucket)
        return None
