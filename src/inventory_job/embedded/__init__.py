"""For development only: an embedded mongod, its data directory and demo data."""
