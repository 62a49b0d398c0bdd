"""An unmodified pymodbus client reads the emulated meter and drives the emulated battery.

read.py METER_PORT BATTERY_PORT: prints what it read as JSON, and exits with 1 where the
protocol was not kept.
"""
import asyncio
import json
import sys

from pymodbus.client import AsyncModbusTcpClient


async def main():
    meter = AsyncModbusTcpClient("127.0.0.1", port=int(sys.argv[1]), timeout=5)
    battery = AsyncModbusTcpClient("127.0.0.1", port=int(sys.argv[2]), timeout=5)
    assert await meter.connect() and await battery.connect()

    async def number(client, kind, address, *, space="input"):
        read = client.read_input_registers if space == "input" else client.read_holding_registers
        answer = await read(address, count=kind.value[1], device_id=1)
        assert not answer.isError(), answer
        return client.convert_from_registers(answer.registers, kind)

    kinds = meter.DATATYPE
    said = {
        "power_w": await number(meter, kinds.INT32, 0),
        "import_wh": await number(meter, kinds.UINT64, 2),
        "frequency_mhz": await number(meter, kinds.UINT16, 10),
    }
    first = await number(meter, kinds.UINT32, 15)
    while await number(meter, kinds.UINT32, 15) == first:
        await asyncio.sleep(0.02)
    beyond = await meter.read_input_registers(200, count=1, device_id=1)
    said["beyond"] = beyond.exception_code
    refused = await meter.write_register(0, 1, device_id=1)
    said["written"] = refused.exception_code
    coils = await meter.read_coils(0, count=1, device_id=1)
    said["coils"] = coils.exception_code

    await battery.write_register(2, 1, device_id=1)
    setpoint = battery.convert_to_registers(-500000, kinds.INT32)
    wrote = await battery.write_registers(0, setpoint, device_id=1)
    assert not wrote.isError(), wrote
    said["setpoint_w"] = await number(battery, kinds.INT32, 0, space="holding")
    while await number(battery, kinds.INT32, 2) != -500000:
        await asyncio.sleep(0.02)
    too_much = battery.convert_to_registers(-90000000, kinds.INT32)
    said["too_much"] = (await battery.write_registers(0, too_much, device_id=1)).exception_code
    print(json.dumps(said))
    meter.close()
    battery.close()


asyncio.run(asyncio.wait_for(main(), 60))
