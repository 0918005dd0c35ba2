"""The foreign APIs that the gateway speaks, over one queue and any backend."""
