"""What models of futures have to come to, by QuantLib.

Reads one JSON object: what each model is given. Prints one: what QuantLib makes of it.
Prices of options are undiscounted, so that they are means of what is paid.
"""

import json
import math
import sys

import QuantLib as ql

asked = json.load(open(sys.argv[1], encoding="utf-8"))
TODAY = ql.Date(1, 1, 2026)
ql.Settings.instance().evaluationDate = TODAY
DAYS = ql.Actual365Fixed()
# A year of 365 days is time one: rates and volatilities are handed over for all of it.
END = TODAY + 365


def curve(rate):
    return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, rate, DAYS))


def volatility(width):
    return ql.BlackVolTermStructureHandle(
        ql.BlackConstantVol(TODAY, ql.NullCalendar(), width, DAYS))


def quote(value):
    return ql.QuoteHandle(ql.SimpleQuote(value))


def process(price, rate, width):
    return ql.BlackScholesMertonProcess(quote(price), curve(0.0), curve(rate), volatility(width))


def option(kind, strike, exercise):
    return ql.VanillaOption(ql.PlainVanillaPayoff(kind, strike), exercise)


def paid(price, rate):
    """The mean of what is paid at the end, of its price now."""
    return price * math.exp(rate)


found = {}

one = asked["diffusion"]
own = process(one["price"], one["drift"], one["width"])
call = option(ql.Option.Call, one["strike"], ql.EuropeanExercise(END))
call.setPricingEngine(ql.AnalyticEuropeanEngine(own))
found["diffusion_call"] = paid(call.NPV(), one["drift"])
found["diffusion_mean"] = one["price"] * curve(0.0).discount(END) / curve(one["drift"]).discount(END)

one = asked["jumps"]
# Its Python has no engine of Merton's own; Bates (1996) is that with a variance that moves,
# and here it hardly does.
variance = one["width"] ** 2
own = ql.BatesProcess(
    curve(one["drift"]), curve(0.0), quote(one["price"]), variance, 1.0, variance, 1e-3, 0.0,
    one["jumps"], one["jump_mean"], one["jump_deviation"])
call = option(ql.Option.Call, one["strike"], ql.EuropeanExercise(END))
call.setPricingEngine(ql.BatesEngine(ql.BatesModel(own), 192))
found["jumps_call"] = paid(call.NPV(), one["drift"])

found["reversion"] = []
for one in asked["reversion"]:
    own = ql.OrnsteinUhlenbeckProcess(one["pull"], one["width"], one["distance"], 0.0)
    found["reversion"].append([
        own.expectation(0.0, one["distance"], one["years"]),
        own.stdDeviation(0.0, one["distance"], one["years"]),
    ])

one = asked["exchange"]
exchange = ql.MargrabeOption(1, 1, ql.EuropeanExercise(END))
exchange.setPricingEngine(ql.AnalyticEuropeanMargrabeEngine(
    process(one["prices"][0], 0.0, one["widths"][0]),
    process(one["prices"][1], 0.0, one["widths"][1]), one["correlation"]))
found["exchange"] = exchange.NPV()

one = asked["put"]
# So many dates, evenly over the year, of which the last is its end.
dates = [TODAY + round(365 * (at + 1) / one["dates"]) for at in range(one["dates"])]
put = option(ql.Option.Put, one["strike"], ql.BermudanExercise(dates))
put.setPricingEngine(ql.FdBlackScholesVanillaEngine(
    process(one["price"], one["rate"], one["width"]), 2000, 800))
found["put"] = put.NPV()

print(json.dumps(found))
