"""Rollout: sides fed, providers told, and when to turn back."""
