"""The calls of a client, one file a service."""
