"""A real gRPC server in a process of its own: `python -m support.grpc_process STORE MODEL [STORE MODEL...]`.

Prints its port; ends when stdin closes.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from api import Follower, Slot
from api.grpc import start_grpc
from api.limits import Limits
from registry import ModelStore


async def serve(stores: Sequence[str], models: Sequence[str]) -> None:
    slots = {model: Slot() for model in models}
    for store, model in zip(stores, models, strict=True):
        Follower(ModelStore(Path(store)), model, slots[model]).start()
    server = await start_grpc(slots, "127.0.0.1:0", Limits())
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(1)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1::2], sys.argv[2::2]))
