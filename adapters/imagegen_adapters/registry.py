"""Finds the adapter for a configured backend."""

from contextlib import AbstractAsyncContextManager

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter

KINDS = ("demo", "comfyui", "a1111")


def open_adapter(config: BackendConfig) -> AbstractAsyncContextManager[Adapter]:
    """The adapter for `config`, connected lazily: entering never fails because the backend is away.

    Raises ValueError for a kind that does not exist.
    """
    # Imported here, so that a process pays only for the kinds that it uses.
    match config.kind:
        case "demo":
            from imagegen_adapters.demo.adapter import open_demo

            return open_demo(config)
        case "comfyui":
            from imagegen_adapters.comfyui.adapter import open_comfyui

            return open_comfyui(config)
        case "a1111":
            from imagegen_adapters.a1111.adapter import open_a1111

            return open_a1111(config)
        case _:
            raise ValueError(f"unknown kind of backend {config.kind!r}; allowed: {', '.join(KINDS)}")
