"""Answers every request with the same bytes, those of a file: ``python -m tests.bench.raw_server PORT FILE``."""

import asyncio
import sys
from pathlib import Path


class Raw(asyncio.Protocol):
    """A request is taken to be over with the first part that is no head alone, or a head without a body."""

    body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.got = transport, b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        _, named, rest = head.lower().partition(b"content-length: ")
        if found and len(body) >= (int(rest.partition(b"\r\n")[0]) if named else 0):
            self.got = b""
            answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(self.body)}"
            self.transport.write(answer.encode() + b"\r\n\r\n" + self.body)


async def main(port: int, file: Path) -> None:
    Raw.body = file.read_bytes()
    server = await asyncio.get_running_loop().create_server(Raw, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
