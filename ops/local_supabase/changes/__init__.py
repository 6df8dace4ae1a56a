"""postgres_changes: who wants which rows, what they may see of them, and the events they get."""
