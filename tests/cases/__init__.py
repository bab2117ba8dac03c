"""Cases as data: a request, what the database is asked for it, and the answer."""
