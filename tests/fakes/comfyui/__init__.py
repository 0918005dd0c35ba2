"""A ComfyUI server without models: answers and frames as recorded, pictures painted. See `__main__` to run it."""

from tests.fakes.comfyui.server import CHECKPOINTS, FakeComfyUI, open_fake

__all__ = ["CHECKPOINTS", "FakeComfyUI", "open_fake"]
