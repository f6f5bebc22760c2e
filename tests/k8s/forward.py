#!/usr/bin/env python3
"""Forward TCP connections: forward.py LISTEN_ADDRESS:PORT TARGET_ADDRESS:PORT.

Pods reach the API server, which listens on loopback only, through the address of
the service "kubernetes"; with a kube-proxy there would be no need for this.
"""

import asyncio
import contextlib
import sys


async def pump(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        with contextlib.suppress(RuntimeError):
            writer.close()


async def main(listen, target):
    host, _, port = listen.rpartition(":")
    to_host, _, to_port = target.rpartition(":")

    async def serve(reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection(to_host, int(to_port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    server = await asyncio.start_server(serve, host, int(port))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
