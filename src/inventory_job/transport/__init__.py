"""The gRPC and HTTP ports, and what they share: limits, TLS, sockets, failures."""
