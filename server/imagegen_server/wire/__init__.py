"""Between protobuf and the domain, both ways: the only place that imports both."""
