"""Drives servers that speak the API of AUTOMATIC1111's stable-diffusion-webui: A1111, Forge, reForge, SD.Next."""
