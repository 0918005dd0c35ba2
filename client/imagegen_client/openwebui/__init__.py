"""Setting up a running Open WebUI for imagegen, and undoing it. What runs inside Open WebUI is `live_previews`."""
