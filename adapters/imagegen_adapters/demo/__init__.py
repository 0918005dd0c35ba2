"""A procedural painter: the backend that needs no model and no GPU."""
