"""The commands that call a running server, wherever it is."""
