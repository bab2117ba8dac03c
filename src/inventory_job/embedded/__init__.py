"""Development only: an embedded mongod, its data directory, demo data."""
