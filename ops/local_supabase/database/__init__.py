"""The Supabase shape of a plain Postgres database: roles, auth, realtime, publications, partitions."""

from ops.local_supabase.database.shape import apply_shape

__all__ = ["apply_shape"]
