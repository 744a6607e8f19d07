"""Forward: TCP ports of one address to the same ports of another, until the process ends.

usage: forward.py LISTEN_HOST TARGET_HOST PORT [PORT …]

A function in a container finds the services of this machine on its own loopback, which is the one place where
Trimtab speaks plain HTTP.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what arrives, until it ends."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def connected(
    target: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Join one connection to the target."""
    with suppress(OSError):
        far_reader, far_writer = await asyncio.open_connection(target, port)
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        far_writer.close()
    writer.close()


async def main(listen: str, target: str, ports: list[int]) -> None:
    """Listen on every port."""
    servers = [await asyncio.start_server(partial(connected, target, port), listen, port) for port in ports]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [int(port) for port in sys.argv[3:]]))
