"""Stored workflows: graphs with named inputs, variants of the built-in ones, and what jobs make of them."""
