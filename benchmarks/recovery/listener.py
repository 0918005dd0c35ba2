"""python -m benchmarks.recovery.listener: a process that listens for gRPC and does nothing else."""

import asyncio

import grpc


async def _listen() -> None:
    server = grpc.aio.server()
    server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print("listens", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_listen())
