"""The endpoint as people use it: real processes, official clients, one command."""
