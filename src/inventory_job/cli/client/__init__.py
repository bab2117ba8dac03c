"""The commands that call a running server, local or remote."""
