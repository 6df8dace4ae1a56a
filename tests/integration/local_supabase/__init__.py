"""The local Supabase endpoint against a real Postgres, and against what the real server was heard to say."""
