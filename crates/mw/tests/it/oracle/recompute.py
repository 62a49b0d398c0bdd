"""Recomputes a run's totals from its Parquet files alone and compares them with summary.json.

Usage: python recompute.py RUN

Whole numbers only. Prints what was compared, one line each, and leaves with 1
and the differences when one does not agree.
"""

import json
import pathlib
import sys
from collections import defaultdict

import pyarrow.parquet as pq

JOULES_PER_MWH = 3_600_000_000
GIGAHASHES_PER_PH_DAY = 1_000_000 * 86_400
MILLION = 1_000_000
# Each interval's cost is rounded by at most half a millionth of a dollar, so a
# hundred thousand of them can drift by five cents and never do.
DRIFT_CENTS_MAX = 5

wrong = []


def divide(numerator, denominator):
    """Divides rounding to the nearest whole number, halves to the even one."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1):
        quotient += 1
    return quotient


def cents(micro_usd):
    """Dollars and cents as the summary writes them."""
    whole = divide(micro_usd, 10_000)
    sign = "-" if whole < 0 else ""
    return f"{sign}{abs(whole) // 100}.{abs(whole) % 100:02d}"


def total(column):
    return sum(value for value in column if value is not None)


def expect(what, found, expected):
    if found != expected:
        wrong.append(f"{what}: recomputed {found}, the run says {expected}")


def each(what, pairs, within=0):
    """Every pair agrees to `within`; says the first that does not."""
    count = 0
    for place, found, said in pairs:
        count += 1
        if (found is None) != (said is None) or (found is not None and abs(found - said) > within):
            wrong.append(f"{what}, {place}: recomputed {found}, the run says {said}")
            break
    print(f"{what}: {count} compared")


def read(path):
    table = pq.read_table(path)
    said = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    columns = {name: table.column(name).cast(kind).to_pylist() for name, kind in kinds(table)}
    return columns, said


def kinds(table):
    """Instants are compared as microseconds, everything else as it is."""
    import pyarrow as pa

    for field in table.schema:
        yield field.name, pa.int64() if pa.types.is_timestamp(field.type) else field.type


def main(run):
    summary = json.loads((run / "summary.json").read_text())
    intervals, said = read(run / "intervals.parquet")
    loads, _ = read(run / "loads.parquet")
    policy, always_on = summary["policy"], summary["always_on"]
    starts = intervals["interval_start"]
    expect("intervals", len(starts), summary["intervals"])
    expect("format", said["mw.format"], "1")

    # Each interval: its cost is its price times its energy. One that lacks a
    # price, its own or its day's hashprice, has no money at all.
    pays_mining = any(price is not None for price in intervals["hashprice_micro_usd_per_ph_day"])
    mines = "mining" in set(loads["used_for"])
    priced = {
        start
        for start, price, paid in zip(starts, intervals["settlement_price_micro_usd_per_mwh"], intervals["hashprice_micro_usd_per_ph_day"])
        if price is not None and (paid is not None or not pays_mining or not mines)
    }
    prices = [p if s in priced else None for s, p in zip(starts, intervals["settlement_price_micro_usd_per_mwh"])]
    rows = list(zip(starts, prices, intervals["site_energy_j"]))
    cost = [None if price is None else -divide(price * energy, JOULES_PER_MWH) for _, price, energy in rows]
    each("price x energy is the cost, within 10^-6 USD", zip(starts, cost, intervals["energy_cost_micro_usd"]), 1)
    adders = [
        None if price is None else -divide(adder * max(energy, 0), JOULES_PER_MWH)
        for (_, price, energy), adder in zip(rows, intervals["decided_adders_micro_usd_per_mwh"])
    ]
    each("adders x energy, within 10^-6 USD", zip(starts, adders, intervals["adders_micro_usd"]), 1)

    # Each interval's energy is its loads' energy, and revenue is theirs.
    energy, by_use, earned = defaultdict(int), defaultdict(int), defaultdict(int)
    hashprice = dict(zip(starts, intervals["hashprice_micro_usd_per_ph_day"]))
    kept = MILLION - int(said["mw.pool_fee_ppm"])
    pay = []
    wanted = ("interval_start", "load", "used_for", "energy_j", "hashes_gh", "gpu_seconds", "gpu_hour_price_micro_usd", "revenue_micro_usd")
    for start, load, used_for, joules, hashes, gpu, price, revenue in zip(*(loads[name] for name in wanted)):
        energy[start] += joules
        by_use[start, used_for] += joules
        if hashes is not None:
            at = hashprice[start]
            if at is None:
                worth = None
            else:
                worth = divide(hashes * at * kept, GIGAHASHES_PER_PH_DAY * MILLION)
        elif gpu is not None:
            worth = divide(gpu * price, 3_600)
        else:
            worth = 0
        if start not in priced:
            worth = None
        pay.append(((start, load), worth, revenue))
        if worth is not None:
            earned[start, used_for] += worth
    each("revenue is work times its price", pay)
    each("site energy is the sum of its loads, to the joule", ((s, energy[s], j) for s, j in zip(starts, intervals["site_energy_j"])))
    for used_for in ("contracted", "uncommitted", "mining", "battery"):
        column = intervals[f"{used_for}_energy_j"]
        each(f"{used_for} energy", ((s, by_use[s, used_for], j) for s, j in zip(starts, column)))
        expect(f"{used_for} MWh", total(column), policy[f"{used_for}_energy_j"])
    for used_for in ("contracted", "uncommitted", "mining"):
        column = intervals[f"{used_for}_revenue_micro_usd"]
        each(f"{used_for} revenue", ((s, earned[s, used_for], m) for s, m in zip(starts, column) if m is not None))

    # The margin of each interval, and of the run, from its parts.
    parts = ("energy_cost", "adders", "blocks", "contracted_revenue", "uncommitted_revenue", "mining_revenue", "wear")
    columns = [intervals[f"{part}_micro_usd"] for part in parts]
    margins = (None if None in row else sum(row) for row in zip(*columns))
    each("margin is the sum of its parts", zip(starts, margins, intervals["margin_micro_usd"]))

    # Totals, exact and to the cent.
    for part, column in zip(parts, columns):
        if part == "mining_revenue" and mines and not pays_mining:
            expect("mining revenue", set(column), {None})
            continue
        expect(f"{part}, 10^-6 USD", total(column), policy[f"{part}_micro_usd"])
        expect(f"{part}, USD", cents(total(column)), policy[f"{part}_usd"])
    margin = total(intervals["margin_micro_usd"])
    if pays_mining or not mines:
        expect("margin, USD", cents(margin), policy["margin_usd"])
    else:
        expect("margin, USD", None, policy["margin_usd"])
    expect("site energy, J", total(intervals["site_energy_j"]), policy["site_energy_j"])
    # The cost once more, without its roundings.
    exact = -sum(price * joules for _, price, joules in rows if price is not None)
    drift = abs(divide(exact, JOULES_PER_MWH * 10_000) - divide(policy["energy_cost_micro_usd"], 10_000))
    if drift > DRIFT_CENTS_MAX:
        wrong.append(f"energy cost drifts by {drift} cents from the unrounded sum")
    if always_on is not None:
        for column, key in (("power_cost", "power_cost"), ("revenue", "revenue"), ("wear", "wear")):
            values = intervals[f"always_on_{column}_micro_usd"]
            if pays_mining or not mines or key != "revenue":
                expect(f"always on {key}, USD", cents(total(values)), always_on[f"{key}_usd"])
        expect("always on energy, J", total(intervals["always_on_site_energy_j"]), always_on["site_energy_j"])
    for load in summary["loads"]:
        own = [place for place, name in enumerate(loads["load"]) if name == load["load"]]
        for column, key in (("energy_j", "energy_j"), ("revenue_micro_usd", "revenue_micro_usd"), ("starts", "starts")):
            expect(f"{load['load']}: {key}", total(loads[column][place] for place in own), load[key])
    print(f"totals: margin {cents(margin)} USD over {len(starts)} intervals")
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
