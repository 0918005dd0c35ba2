"""The gRPC server: jobs, their events, and who runs them."""
