"""The async client, and the `imagegen` command."""
