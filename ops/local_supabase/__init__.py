"""A local Supabase endpoint: Realtime, and as much of Auth as signing in takes, for unmodified clients."""
