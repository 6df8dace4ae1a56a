"""As much of Supabase Auth as local sign-in takes: sign up, password, refresh, user, sign out, keys."""
