"""Lets asic-rs find out what a rig is and drive it; prints what it made of each command."""

import asyncio
import json
import os
import sys

from pyasic_rs import MinerFactory


async def data(miner):
    read = await miner.get_data()
    target = str(read.tuning_target) if read.tuning_target else None
    pools = [pool.url for group in read.pools for pool in group.pools]
    return {
        "make": read.device_info.make,
        "model": read.device_info.model,
        "wattage": round(read.wattage) if read.wattage is not None else None,
        "limit": target,
        "hashrate": round(read.hashrate.value) if read.hashrate else 0,
        "mining": read.is_mining,
        "pool": str(pools[0]) if pools else None,
        "mac": read.mac,
    }


async def main(address, commands):
    answers = []
    factory = MinerFactory()
    miner = None
    password = None
    for command in commands:
        name, _, value = command.partition("=")
        if name == "password":
            password = value
            continue
        if miner is None:
            miner = await factory.get_miner(address)
            assert miner is not None, "asic-rs finds no miner"
            if password is not None:
                miner.set_auth("admin", password)
        if name == "data":
            answers.append(await data(miner))
        elif name == "limit":
            answers.append(await miner.set_power_limit(int(value)))
        elif name == "stop":
            answers.append(await miner.pause())
        elif name == "resume":
            answers.append(await miner.resume())
    print(json.dumps(answers))


asyncio.run(main(sys.argv[1], sys.argv[2:]))
# The library's own threads outlive the loop, and now and then take the interpreter down
# with them while it tidies up: everything is said, so there is nothing to tidy.
sys.stdout.flush()
os._exit(0)
