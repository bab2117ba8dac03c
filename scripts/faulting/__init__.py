"""Breaks the database under a server in use, and judges every answer; see scripts/faults."""
