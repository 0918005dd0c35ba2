"""ComfyUI: one websocket and one HTTP session per backend."""
