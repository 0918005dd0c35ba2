"""What brings jobs to backends and follows them to their ends."""
