"""Version 1 of the contract: .proto files, their stubs, and `imagegen.binpb`, their descriptors with comments."""
