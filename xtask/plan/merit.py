"""The hours of a plan's futures by merit order in vectorised NumPy, and one in PyPSA.

    merit.py numpy FOLDER [CHUNK]     every future of FOLDER/arrays.bin, CHUNK at a time
    merit.py pypsa FOLDER HOURS       the first HOURS of the first future, as one LP

Arrays are what `plan_arrays` writes. Prints one JSON line each. Timed is from arrays in
memory to energy and money out.

What NumPy does: for each load in order of worth, whether it runs in each hour (by price,
with the bands of a stop and of a start, from the last crossing), then as many whole
machines as every limit above it leaves room for. It draws nothing, settles no contract,
and knows no loan or tax.
"""
import json
import resource
import sys
import time

import numpy as np

HOURS = 24


def read(folder):
    with open(f"{folder}/plan.json", encoding="utf-8") as file:
        site = json.load(file)
    days, loads = site["days"], len(site["loads"])
    record = np.dtype([
        ("known", "<f4", days * HOURS), ("settled", "<f4", days * HOURS),
        ("hashprice", "<f8", days), ("paid", "<f8", days), ("rent", "<f8", days),
        ("there", "u1", (loads, days)), ("ours", "<f8", 5),
    ])
    return site, np.memmap(f"{folder}/arrays.bin", dtype=record, mode="r")


def worth_by_day(site, load, hashprice, rent, there):
    """What a MWh at the meter beyond rest is worth, by future and day."""
    step = (load["watts"] - load["rest_watts"]) / 1e6
    if "ghs" in load:
        day = hashprice * (load["ghs"] / 1e6) * (1.0 - site["pool_fee"])
        return day / (HOURS * step)
    let = rent * site["let_share"] * load["gpus"] / step
    contract = load["contract_usd_per_mwh"] or 0.0
    return np.where(there == 1, contract * 1e6 / load["pue_ppm"], let)


def bands(site, load, worth):
    """How far worth may fall below cost before a stop, and must rise above it."""
    start = site["hysteresis"]
    if "ghs" not in load:
        return start, start
    saved = (load["watts"] - load["rest_watts"]) / 1e6 * load["spread_s"] / 3600
    lost = load["restart_s"] / max(load["spread_s"], 1) * worth
    return start + load["restart_usd"] / saved + lost, start


def running(cost, worth, stop, start, there):
    """Whether a load runs, from where cost last crossed a band."""
    starts = (cost <= worth - start) & there
    stops = (cost > worth + stop) | ~there
    last = np.where(starts | stops, np.arange(cost.shape[1], dtype=np.int32), -1)
    np.maximum.accumulate(last, axis=1, out=last)
    on = np.take_along_axis(starts & ~stops, np.maximum(last, 0), axis=1)
    return on & (last >= 0)


def decide(site, part, plain=False):
    """Energy and money of some futures; `plain` knows no bands and no whole machines."""
    paths, hours = part["known"].shape
    known = part["known"].astype(np.float64)
    settled = part["settled"].astype(np.float64)
    by_hour = lambda days: np.repeat(days, HOURS, axis=1)
    loads, limits = site["loads"], site["limits"]
    room = [np.full((paths, hours), limit["mw"] * 1e6) for limit in limits]
    above = [[at for at, limit in enumerate(limits) if load in limit["loads"]]
             for load in range(len(loads))]
    there = [by_hour(part["there"][:, load, :]) for load in range(len(loads))]
    worth = [worth_by_day(site, load, part["hashprice"], part["rent"], part["there"][:, at, :])
             for at, load in enumerate(loads)]
    rests = [0.0 if plain else load["count"] * load["rest_watts"] for load in loads]
    for load in range(len(loads)):
        if rests[load]:
            for at in above[load]:
                room[at] -= np.where(there[load] > 0, rests[load], 0.0)
    order = sorted(range(len(loads)), key=lambda load: -worth[load][0, 0])
    energy = np.zeros((3, paths))
    power = np.zeros(paths)
    pay = np.zeros(paths)
    gain = np.zeros(paths)
    for load in order:
        shape, present = loads[load], there[load] > 0
        each = by_hour(worth[load])
        firm = there[load] == 1 if "gpus" in shape else np.zeros_like(present)
        stop, start = (0.0, 0.0) if plain else bands(site, shape, each)
        wants = running(known, each, stop, start, present & ~firm) | firm
        step = shape["watts"] - (0 if plain else shape["rest_watts"])
        least = room[above[load][0]]
        for at in above[load][1:]:
            least = np.minimum(least, room[at])
        machines = np.clip(least / step, 0.0, shape["count"])
        machines = np.where(wants, machines if plain else np.floor(machines), 0.0)
        taken = machines * step
        for at in above[load]:
            room[at] -= taken
        drawn = taken + np.where(present, rests[load], 0.0)
        if "ghs" in shape:
            energy[0] += drawn.sum(axis=1) / 1e6
            power += (drawn * settled).sum(axis=1) / 1e6
            hashes = machines * shape["ghs"] / 1e6
            if not plain:
                before = np.pad(machines, ((0, 0), (1, 0)))[:, :-1]
                started = np.maximum(machines - before, 0.0)
                hashes -= started * shape["ghs"] / 1e6 * shape["restart_s"] / 3600
            a_day = hashes.reshape(paths, -1, HOURS).sum(axis=2) / HOURS
            pay += (a_day * part["paid"]).sum(axis=1) * (1.0 - site["pool_fee"])
        else:
            energy[1] += np.where(firm, drawn, 0.0).sum(axis=1) / 1e6
            energy[2] += np.where(firm, 0.0, drawn).sum(axis=1) / 1e6
        if plain:
            gain += (taken * (each - known)).sum(axis=1) / 1e6
    return np.stack([*energy, power, pay, gain], axis=1)


def numpy_(folder, chunk):
    site, arrays = read(folder)
    found, cpu, wall = [], 0.0, 0.0
    for at in range(0, len(arrays), chunk):
        part = np.array(arrays[at:at + chunk])
        began, clock = time.process_time(), time.perf_counter()
        found.append(decide(site, part)[:, :5])
        cpu += time.process_time() - began
        wall += time.perf_counter() - clock
    found = np.concatenate(found)
    ours = arrays["ours"]
    total = ours.sum(axis=0)
    apart = np.abs(found - ours).max(axis=0) / np.maximum(np.abs(total) / len(ours), 1.0)
    means = np.abs(found.sum(axis=0) - total) / np.maximum(np.abs(total), 1.0)
    names = ["mining_mwh", "contract_mwh", "let_mwh", "power_usd", "pay_usd"]
    print(json.dumps({
        "tool": f"numpy {np.__version__}", "paths": len(ours), "cpu_s": round(cpu, 3),
        "wall_s": round(wall, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        **{name: float(value) for name, value in zip(names, found.mean(axis=0))},
        **{f"ours_{name}": float(value) for name, value in zip(names, total / len(ours))},
        **{f"apart_{name}": float(value) for name, value in zip(names, apart)},
        **{f"off_{name}": float(value) for name, value in zip(names, means)},
    }))


def pypsa_(folder, hours):
    import logging
    import warnings

    import pandas as pd
    import pypsa

    warnings.filterwarnings("ignore")
    for name in ("pypsa", "linopy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    site, arrays = read(folder)
    part = np.array(arrays[:1])
    days = hours // HOURS
    cut = {name: part[name][:, :days * HOURS] for name in ("known", "settled")}
    cut |= {name: part[name][:, :days] for name in ("hashprice", "paid", "rent")}
    cut["there"] = part["there"][:, :, :days]
    merit = decide(site, cut, plain=True)[0]
    began, clock = time.process_time(), time.perf_counter()
    index = pd.RangeIndex(days * HOURS)
    network = pypsa.Network()
    network.set_snapshots(index)
    limits, loads = site["limits"], site["loads"]
    # A limit is a bus that draws from the next wider one that holds all of its loads.
    wider = sorted(range(len(limits)), key=lambda at: -len(limits[at]["loads"]))
    parent = {}
    for place, at in enumerate(wider):
        holds = [w for w in wider[:place] if set(limits[at]["loads"]) <= set(limits[w]["loads"])]
        parent[at] = holds[-1] if holds else None
    network.add("Bus", "market")
    for at in wider:
        network.add("Bus", f"limit{at}")
        source = "market" if parent[at] is None else f"limit{parent[at]}"
        network.add("Link", f"link{at}", bus0=source, bus1=f"limit{at}", p_nom=limits[at]["mw"])
    total = sum(limit["mw"] for limit in limits)
    cost = pd.Series(cut["known"][0].astype(float), index)
    network.add("Generator", "grid", bus="market", p_nom=total, marginal_cost=cost)
    for load, shape in enumerate(loads):
        inner = [at for at in wider if load in limits[at]["loads"]][-1]
        worth = worth_by_day(site, shape, cut["hashprice"], cut["rent"], cut["there"][:, load, :])
        there = np.repeat(cut["there"][0, load] > 0, HOURS).astype(float)
        # Racks under contract run whatever an hour costs.
        firm = np.repeat(cut["there"][0, load] == 1, HOURS) & ("gpus" in shape)
        network.add("Generator", shape["name"], bus=f"limit{inner}", sign=-1,
                    p_nom=shape["count"] * shape["watts"] / 1e6,
                    p_min_pu=pd.Series(firm.astype(float), index),
                    p_max_pu=pd.Series(there, index),
                    marginal_cost=pd.Series(-np.repeat(worth[0], HOURS), index))
    network.optimize(solver_name="highs", progress=False,
                     solver_options={"output_flag": False, "threads": 1})
    print(json.dumps({
        "tool": f"pypsa {pypsa.__version__}", "hours": days * HOURS,
        "cpu_s": round(time.process_time() - began, 3),
        "wall_s": round(time.perf_counter() - clock, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        "objective": -float(network.objective), "merit": float(merit[5]),
    }))


if __name__ == "__main__":
    if sys.argv[1] == "numpy":
        numpy_(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 20)
    else:
        pypsa_(sys.argv[2], int(sys.argv[3]))
