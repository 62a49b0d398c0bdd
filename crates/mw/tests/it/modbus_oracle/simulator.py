"""pymodbus as a meter on a port of its own: prints the port, ends when its input ends."""
import asyncio
import sys

from pymodbus.datastore import ModbusServerContext, ModbusSimulatorContext
from pymodbus.server import ModbusTcpServer

MAP = {
    "setup": {
        "co size": 100, "di size": 100, "hr size": 200, "ir size": 200,
        "shared blocks": True, "type exception": False,
        "defaults": {
            "value": {"bits": 0, "uint16": 0, "uint32": 0, "float32": 0.0, "string": " "},
            "action": {"bits": None, "uint16": None, "uint32": None, "float32": None, "string": None},
        },
    },
    "invalid": [],
    "write": [],
    "bits": [],
    "uint16": [{"addr": 10, "value": 60, "action": "increment", "parameters": {"minval": 1, "maxval": 60000}}],
    "uint32": [{"addr": [20, 21], "value": 100000}],
    "float32": [{"addr": [30, 31], "value": 27.5}],
    "string": [],
    "repeat": [],
}


async def main():
    simulator = ModbusSimulatorContext(MAP, None)
    context = ModbusServerContext(devices=simulator, single=True)
    server = ModbusTcpServer(context, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    print(server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.shutdown()


asyncio.run(main())
