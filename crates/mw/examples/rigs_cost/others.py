"""Lets pyasic or asic-rs find rigs, read them all and send them all to rest; prints how
long until the last rig that answers was found, read, told and read back.

A rig that hangs is waited for as the library waits, and is not counted.
"""

import asyncio
import json
import os
import sys
import time

AT_ONCE = 256
# What answers nothing by then is left.
LEFT_AFTER = 30


class Pyasic:
    def __init__(self, password):
        import pyasic
        from pyasic import settings

        settings.update("default_whatsminer_rpc_password", password)
        self.get_miner = pyasic.get_miner

    async def find(self, address):
        return await self.get_miner(address)

    async def read(self, miner):
        return await miner.get_data()

    async def rest(self, miner):
        return await miner.stop_mining()


class AsicRs:
    def __init__(self, password):
        from pyasic_rs import MinerFactory

        self.factory, self.password = MinerFactory(), password

    async def find(self, address):
        miner = await self.factory.get_miner(address)
        if miner is not None:
            miner.set_auth("admin", self.password)
        return miner

    async def read(self, miner):
        return await miner.get_data()

    async def rest(self, miner):
        return await miner.pause()


async def each(things, work):
    """What came of work on each thing, and when the last of it came that came."""
    places = asyncio.Semaphore(AT_ONCE)
    began, last = time.monotonic(), 0.0

    async def one(thing):
        nonlocal last
        async with places:
            try:
                came = await asyncio.wait_for(work(thing), LEFT_AFTER)
            except Exception:
                return None
        if came:
            last = time.monotonic() - began
        return came

    came = await asyncio.gather(*(one(thing) for thing in things))
    return came, round(last, 2)


async def main(library, password):
    library = {"pyasic": Pyasic, "asic-rs": AsicRs}[library](password)
    addresses = sys.stdin.read().split()
    found, find_s = await each(addresses, library.find)
    miners = [miner for miner in found if miner is not None]

    async def read(miner):
        return (await library.read(miner)).wattage is not None

    came, sweep_s = await each(miners, read)

    async def rest(miner):
        # A yes is not believed, neither theirs nor ours: it is read back.
        await library.rest(miner)
        return (await library.read(miner)).is_mining is False

    rested, rest_s = await each(miners, rest)
    print(json.dumps({
        "found": len(miners), "find_s": find_s,
        "read": sum(1 for it in came if it), "sweep_s": sweep_s,
        "rested": sum(1 for it in rested if it), "rest_s": rest_s,
    }))


try:
    asyncio.run(main(sys.argv[1], sys.argv[2]))
except ModuleNotFoundError as error:
    print(json.dumps({"absent": error.name}))
# The libraries' own threads outlive the loop, and everything is said.
sys.stdout.flush()
os._exit(0)
