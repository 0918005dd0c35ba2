"""Runs the fake as a program: python -m tests.fakes.openwebui --port 8080"""

import argparse
import asyncio
import contextlib

from tests.fakes.openwebui.server import open_fake
from tests.fakes.openwebui.state import ADMIN_TOKEN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args().port))


async def _serve(port: int) -> None:
    async with open_fake(port=port) as fake:
        print(f"fake Open WebUI at {fake.url}; its administrator's token is {ADMIN_TOKEN}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
