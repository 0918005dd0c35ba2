"""The real Open WebUI, as people run it, in front of the whole stack: `make e2e-openwebui`."""
