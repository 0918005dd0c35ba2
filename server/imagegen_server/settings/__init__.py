"""What can be set while everything runs."""
