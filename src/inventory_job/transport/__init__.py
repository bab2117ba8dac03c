"""What knows gRPC: servicers, interceptors, statuses."""
