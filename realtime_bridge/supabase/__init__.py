"""The bridge's own seats in Supabase's channels: joined by the official client, which needs watching over."""
