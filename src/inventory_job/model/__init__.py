"""Stored documents, their indexes, and the way to the database."""
