"""Auth as local sign-in takes it: sign up, sessions, users, keys."""
