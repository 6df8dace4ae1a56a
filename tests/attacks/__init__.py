"""Attacks on the running parts, each with the harm that it must not do; the table is `ops/runbooks/attacks.md`."""
