"""Parity: a client that sits on both sides and compares what it sees with the log; and what follows from it."""
