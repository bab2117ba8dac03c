"""Logs, metrics and traces of the server, and a log entry for each call."""
