"""Checks revenue schedules with programs of finance.

schedule.py FILE RATE: the CSV of `mw books revenue`. What is paid ahead and billed,
less what is recognised, has to earn the rate and to be worth nothing today.
"""

import collections
import csv
import sys

import numpy_financial
import pyxirr

path, rate = sys.argv[1], float(sys.argv[2])
monthly = (1 + rate) ** (1 / 12) - 1
tranches = collections.defaultdict(list)
for row in csv.DictReader(open(path)):
    tranches[row["tranche"]].append(row)
wrong = []
for name, rows in tranches.items():
    # What counts from the beginning of its month, and everything else at its end.
    flows = [0.0] * (len(rows) + 1)
    for place, row in enumerate(rows):
        start = float(row["paid_at_start"])
        flows[place] += start
        flows[place + 1] += (
            float(row["paid_ahead"]) - start + float(row["billed"]) - float(row["revenue"])
        )
    # Nothing happened at the first edges: rates are of what follows.
    while flows and flows[0] == 0:
        flows.pop(0)
    if not flows:
        continue
    size = sum(float(row["revenue"]) for row in rows)
    for program, found, worth in [
        ("pyxirr", pyxirr.irr(flows, guess=0.005), pyxirr.npv(monthly, flows)),
        ("numpy-financial", numpy_financial.irr(flows), numpy_financial.npv(monthly, flows)),
    ]:
        if abs(found - monthly) > 1e-9:
            wrong.append(f"{name}: {program} finds {found} a month, expected {monthly}")
        if abs(worth) > 1e-9 * size + 1:
            wrong.append(f"{name}: {program} finds a worth of {worth}, expected nothing")
    if float(rows[-1]["closing"]) != 0:
        wrong.append(f"{name}: ends with {rows[-1]['closing']}, expected nothing")
    print(f"{name}: {len(rows)} months earn {monthly:.9f} a month")
for one in wrong:
    print(one, file=sys.stderr)
sys.exit(1 if wrong else 0)
