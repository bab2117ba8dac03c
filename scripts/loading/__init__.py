"""Measures a server under too much load, under load for long, and while its workers are replaced;
see scripts/load."""
