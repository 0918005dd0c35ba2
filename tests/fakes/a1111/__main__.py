"""Runs the fake as a program: python -m tests.fakes.a1111 --port 7860"""

import argparse
import asyncio
import contextlib
import json

from tests.fakes.a1111.server import Flavor, open_fake


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--nowebui", action="store_true", help="no /internal routes, no task ids")
    parser.add_argument("--flavor", choices=[flavor.value for flavor in Flavor], default="a1111")
    parser.add_argument("--api-auth", default="", metavar="USER:PASSWORD")
    parser.add_argument("--step-seconds", type=float, default=0.1)
    parser.add_argument("--load-seconds", type=float, default=2.0)
    parser.add_argument("--faults", type=json.loads, default={}, metavar="JSON", help="misbehaves so from the start")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    async with open_fake(
        port=arguments.port,
        is_webui=not arguments.nowebui,
        flavor=Flavor(arguments.flavor),
        api_auth=arguments.api_auth,
        step_s=arguments.step_seconds,
        load_s=arguments.load_seconds,
        is_loaded=False,
    ) as fake:
        fake.faults.set(arguments.faults)
        print(f"fake {arguments.flavor} at {fake.url}; misbehaves by POST {fake.url}/_fake/faults", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
