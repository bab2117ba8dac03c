"""The composition root: builds the server from settings, starts, drains and stops it."""
