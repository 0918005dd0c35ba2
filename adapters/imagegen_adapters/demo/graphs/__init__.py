"""ComfyUI graphs on the demo painter: the node classes that it has, what it refuses, and how a graph is run."""
