"""Phoenix frames, versions 1.0.0 and 2.0.0: text, binary, and what is sent to many sockets at once."""
