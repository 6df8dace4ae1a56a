"""Endpoint of a local Supabase: Realtime, and what Auth signing in takes. For unmodified clients."""
