"""A client that shares no code with ours: Node's grpc-js over the published descriptors."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "node"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        shutil.which("node") is None or not (EXAMPLE / "node_modules").is_dir(),
        reason="needs Node and its packages: make node-example",
    ),
]


async def test_the_node_example_makes_a_picture(stack: Stack, tmp_path: Path) -> None:
    picture = tmp_path / "fox.png"
    process = await asyncio.create_subprocess_exec(
        "node",
        str(EXAMPLE / "generate.mjs"),
        "a red fox",
        str(picture),
        stack.grpc,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert "JOB_STATE_SUCCEEDED" in output.decode()
    assert picture.read_bytes().startswith(b"\x89PNG")
