"""A custom protocol: a request is a line of JSON over a Unix socket, and so is its answer."""

import asyncio
import json
from pathlib import Path
from typing import Any

from service.errors import MCDropoutError
from service.protocol.options import Options
from service.serving.context import Context
from service.serving.data_plane import DataPlane


async def serve_lines(plane: DataPlane, path: Path) -> asyncio.Server:
    """Listen at a path."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        gone = asyncio.Event()
        reading = asyncio.create_task(_read(reader, lines, gone))
        try:
            while line := await lines.get():
                writer.write(json.dumps(await _answer(plane, line, gone)).encode() + b"\n")
                await writer.drain()
        finally:
            reading.cancel()
            writer.close()
            await writer.wait_closed()

    return await asyncio.start_unix_server(connected, path, limit=1 << 22)


async def _read(
    reader: asyncio.StreamReader, lines: "asyncio.Queue[bytes]", gone: asyncio.Event
) -> None:
    """Keep reading while an answer is computed, to notice when the client disconnects."""
    try:
        while line := await reader.readline():
            lines.put_nowait(line)
    finally:
        gone.set()
        lines.put_nowait(b"")


async def _answer(plane: DataPlane, line: bytes, gone: asyncio.Event) -> dict[str, Any]:
    with plane.request(Context(disconnected=gone.wait)) as context:
        try:
            asked = json.loads(line)
            context.begin(plane.timeout)
            context.limit(asked.get("timeout"))
            plane.memory.hold(context, len(line))
            predictor = plane.find(asked["model"], asked.get("version"), context)
            options = Options(**asked.get("options", {}))
            found = await plane.predict(predictor, asked["rows"], options, context)
        except MCDropoutError as error:
            return {"error": type(error).__name__, "text": str(error)}
        return {
            "model": f"{context.model}/{context.version}",
            "seed": found.seed,
            "mean": found.mean.tolist(),
            "variance": found.variance.tolist(),
        }
