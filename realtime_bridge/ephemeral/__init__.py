"""Typing and presence across both sides. Never stored, never counted in a gate, dropped first."""
