"""The stored documents, their indexes, and reading and deleting them in MongoDB."""
