"""What pictures say about how they were made: read, written, and taken out. Pure."""
