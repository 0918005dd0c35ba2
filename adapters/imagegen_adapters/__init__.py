"""Adapters: the code that speaks to one kind of backend. They import nothing else of imagegen."""
