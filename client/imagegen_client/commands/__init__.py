"""What the `imagegen` command does, one module a group of commands."""
