"""Lets pyasic find out what a rig is and drive it; prints what it made of each command."""

import asyncio
import json
import sys

import pyasic
from pyasic import settings


async def data(miner):
    read = await miner.get_data()
    pools = [str(pool.url) for pool in read.pools]
    return {
        "make": read.make,
        "model": read.model,
        "wattage": read.wattage,
        "limit": read.wattage_limit,
        "hashrate": round(float(read.hashrate)) if read.hashrate else 0,
        "mining": read.is_mining,
        "pool": pools[0] if pools else None,
        "mac": read.mac,
    }


async def main(address, commands):
    answers = []
    miner = None
    for command in commands:
        name, _, value = command.partition("=")
        if name == "password":
            settings.update("default_whatsminer_rpc_password", value)
            continue
        if miner is None:
            miner = await pyasic.get_miner(address)
            assert miner is not None, "pyasic finds no miner"
        if name == "data":
            answers.append(await data(miner))
        elif name == "limit":
            answers.append(await miner.set_power_limit(int(value)))
        elif name == "stop":
            answers.append(await miner.stop_mining())
        elif name == "resume":
            answers.append(await miner.resume_mining())
    print(json.dumps(answers))


asyncio.run(main(sys.argv[1], sys.argv[2:]))
