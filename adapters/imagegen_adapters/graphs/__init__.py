"""ComfyUI graphs: what they are made of, whether they can run, and what people can set in them. Pure."""
