"""Changes of rows (`postgres_changes`): who wants which, and what they get."""
