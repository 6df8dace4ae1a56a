"""The parts of the local Supabase endpoint that need neither a socket nor a database."""
