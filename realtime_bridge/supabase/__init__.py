"""The way to Supabase's clients: transports, rate, seats, and their health."""
