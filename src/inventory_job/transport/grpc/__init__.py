"""The gRPC port: interceptor, services, health, statuses, TLS."""
