"""python -m tests.fakes.comfyui --port 8188 [--version 0.3.64] [--step-seconds 0.1] [--preview-method latent2rgb]

Misbehaves on command: curl -d '{"fail_next": "oom"}' http://127.0.0.1:8188/_fake/faults (names: see faults.py).
"""

import argparse
import asyncio
import contextlib
import json

from tests.fakes.comfyui.profiles import PROFILES
from tests.fakes.comfyui.server import open_fake


async def _serve(options: argparse.Namespace) -> None:
    fake = open_fake(
        options.version, port=options.port, step_s=options.step_seconds, preview_method=options.preview_method
    )
    async with fake as server:
        server.worker.preview_size = 512
        server.misbehave(options.faults)
        print(f"fake ComfyUI {options.version} on {server.url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.comfyui", description="A fake ComfyUI server.")
    parser.add_argument("--port", type=int, default=8188)
    parser.add_argument("--version", choices=sorted(PROFILES), default="0.3.64")
    parser.add_argument("--step-seconds", type=float, default=0.1)
    parser.add_argument("--preview-method", choices=("none", "auto", "latent2rgb", "taesd"), default="latent2rgb")
    parser.add_argument("--faults", type=json.loads, default={}, metavar="JSON", help="misbehaves so from the start")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
