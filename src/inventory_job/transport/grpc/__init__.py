"""The gRPC port: interceptor, services, health, reflection, statuses."""
