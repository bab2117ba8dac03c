"""Measures a server under too much load, under load for long, and while its replicas are replaced;
see scripts/load."""
