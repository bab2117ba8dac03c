"""Authentication and authorization of callers. Depends on neither gRPC nor the database."""
