"""The dial: which side is fed, who is told which provider, and when to turn back."""
