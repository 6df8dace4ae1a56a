"""Frames of Phoenix, versions 1.0.0 and 2.0.0: text, binary, shared ones."""
