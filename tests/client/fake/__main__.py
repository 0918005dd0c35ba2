"""The fake server as a program."""

import asyncio

from tests.client.fake.server import main

asyncio.run(main())
