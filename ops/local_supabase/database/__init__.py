"""Shape of Supabase for plain Postgres: roles, auth, realtime, publications, partitions."""

from ops.local_supabase.database.shape import apply_shape

__all__ = ["apply_shape"]
