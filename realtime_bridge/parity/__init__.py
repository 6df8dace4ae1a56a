"""Parity: what a client on both sides sees, beside the log. And what follows from it."""
