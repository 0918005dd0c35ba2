"""What the server answers: each rpc checks its request, asks the part that knows, and translates."""
