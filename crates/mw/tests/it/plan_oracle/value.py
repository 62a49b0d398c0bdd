"""Present values and internal rates of monthly flows, by numpy-financial and pyxirr.

Reads a JSON list of { "rate", "flows", "npv", "irr_per_month" } and fails where either
library finds another present value, or another rate where there is one.
"""

import json
import sys

import numpy_financial
import pyxirr

rates = 0
for case in json.load(open(sys.argv[1])):
    flows, rate = case["flows"], case["rate"]
    for name, value in [
        ("numpy-financial", numpy_financial.npv(rate, flows)),
        ("pyxirr", pyxirr.npv(rate, flows)),
    ]:
        scale = max(abs(flow) for flow in flows)
        if abs(value - case["npv"]) > 1e-9 * scale * len(flows):
            sys.exit(f"npv: {name} finds {value}, found {case['npv']}")
    if case["irr_per_month"] is None:
        continue
    rates += 1
    # Each at our rate: the value has to be nothing; and its own rate has to be ours.
    for name, own in [
        ("numpy-financial", float(numpy_financial.irr(flows))),
        ("pyxirr", pyxirr.irr(flows, guess=case["irr_per_month"])),
    ]:
        if own is None or abs(own - case["irr_per_month"]) > 1e-7:
            sys.exit(f"irr: {name} finds {own}, found {case['irr_per_month']}")
print(f"{rates} rates agree")
if rates < 5:
    sys.exit("expected rates to compare")
