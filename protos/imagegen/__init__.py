"""The contract of imagegen."""
