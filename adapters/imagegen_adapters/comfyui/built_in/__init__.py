"""Graphs for requests for images, by what the model is and what the request asks for. Pure."""
