"""The way to Supabase's clients: transports, their rate, the bridge's own seats, and whether all of it is heard."""
