"""Solves horizons with HiGHS, straight from their definition.

Usage: python highs.py            a request a line on standard input, an answer a line
       python highs.py bench FILE [RUNS]
                                  the horizon in FILE, timed from arrays to primal and duals
       python highs.py check FILE the horizons in FILE, a line each, with the objective that
                                  another program found and what both are counted from

A request is {"horizon": H} or, to look at limits that are said to conflict,
{"horizon": H, "conflict": {"from": a, "to": b, "limits": ["Import", "Floor 2", ...]}}.
A horizon is written as `sim::ahead::json` writes it: powers in MW, energies in MWh, money in
US dollars, null where nothing limits.

Every load may carry a "machine": {"up_intervals", "down_intervals", "start_usd", "on_before"}.
It then draws nothing or at least its floor, stays on and off for as long as is said, and a start
costs what is said; this makes the problem a mixed-integer one.
"""

import json
import os
import resource
import statistics
import sys
import time

import highspy
import numpy as np

INF = highspy.kHighsInf


def every(value, count, missing=INF):
    """A figure for every interval: given once or one each."""
    if value is None:
        return np.full(count, missing)
    return np.full(count, float(value)) if np.isscalar(value) else np.array(value, dtype=float)


class Model:
    """Columns and rows, a whole horizon of them at a time."""

    def __init__(self):
        self.columns = 0
        self.cost, self.lower, self.upper, self.binary = [], [], [], []
        self.rows = 0
        self.row_lower, self.row_upper, self.index, self.value, self.count = [], [], [], [], []
        self.constant = 0.0

    def add(self, lower, upper, cost=0.0, count=None, binary=False):
        """New columns; returns their places."""
        lower, upper, cost = np.broadcast_arrays(*map(np.atleast_1d, (lower, upper, cost)))
        if count is not None and len(lower) != count:
            lower, upper, cost = (np.full(count, each[0]) for each in (lower, upper, cost))
        places = np.arange(self.columns, self.columns + len(lower))
        self.columns += len(lower)
        self.cost.append(cost.astype(float))
        self.lower.append(lower.astype(float))
        self.upper.append(upper.astype(float))
        self.binary.append(np.full(len(lower), binary))
        return places

    def keep(self, terms, lower, upper):
        """New rows `lower <= sum of factor * column <= upper`; returns their places."""
        count = len(terms[0][1])
        if count == 0:
            return np.arange(0)
        self.index.append(np.column_stack([column for _, column in terms]).ravel())
        factors = [np.broadcast_to(np.asarray(factor, dtype=float), count) for factor, _ in terms]
        self.value.append(np.column_stack(factors).ravel())
        self.count.append(np.full(count, len(terms)))
        self.row_lower.append(np.broadcast_to(np.asarray(lower, dtype=float), count))
        self.row_upper.append(np.broadcast_to(np.asarray(upper, dtype=float), count))
        places = np.arange(self.rows, self.rows + count)
        self.rows += count
        return places

    def is_plainly_infeasible(self):
        """Whether a single column has no room at all."""
        return bool(np.any(np.concatenate(self.lower) > np.concatenate(self.upper) + 1e-9))

    def hand_over(self, tight):
        """The model as HiGHS holds it."""
        join = lambda parts, kind: np.concatenate(parts).astype(kind) if parts else np.zeros(0, kind)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_, lp.offset_ = self.columns, self.rows, self.constant
        lp.col_cost_, lp.col_lower_ = join(self.cost, float), join(self.lower, float)
        lp.col_upper_ = np.maximum(join(self.upper, float), lp.col_lower_)
        lp.row_lower_, lp.row_upper_ = join(self.row_lower, float), join(self.row_upper, float)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(join(self.count, np.int64))]).astype(np.int32)
        lp.a_matrix_.index_, lp.a_matrix_.value_ = join(self.index, np.int32), join(self.value, float)
        whole = join(self.binary, bool)
        if whole.any():
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            lp.integrality_ = [kinds[int(each)] for each in whole]
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("threads", 1)
        if tight:
            # Exactness before speed: nothing is taken apart and put together again.
            highs.setOptionValue("presolve", "off")
            highs.setOptionValue("primal_feasibility_tolerance", 1e-9)
            highs.setOptionValue("dual_feasibility_tolerance", 1e-9)
            highs.setOptionValue("mip_rel_gap", 1e-9)
        highs.passModel(lp)
        return highs


class Problem:
    """The linear programme of a horizon, or of some of its limits alone."""

    def __init__(self, horizon, conflict=None):
        self.n = len(horizon["grid"]["import_usd_per_mwh"])
        self.hours = horizon["hours"]
        self.conflict = conflict
        self.model = Model()
        self.load_feeders = [load["feeder"] for load in horizon["loads"]]
        self.store_feeders = [store["feeder"] for store in horizon["batteries"]]
        self.place_exchange(horizon["grid"])
        self.place_loads(horizon)
        self.place_stores(horizon["batteries"])
        self.balance()
        for place, feeder in enumerate(horizon["feeders"]):
            self.keep_feeder(place, feeder, horizon["feeders"])

    def kept(self, name):
        """In which intervals a limit is kept."""
        if self.conflict is None:
            return np.full(self.n, True)
        t = np.arange(self.n)
        inside = (self.conflict["from"] <= t) & (t < self.conflict["to"])
        return inside & (name in self.conflict["limits"])

    def money(self, usd):
        """Costs count unless only limits are looked at."""
        return usd if self.conflict is None else usd * 0.0

    def place_exchange(self, grid):
        """The exchange, what it costs, its ramp, and charges on its peaks."""
        n, hours = self.n, self.hours
        self.base = every(grid["base_mw"], n)
        lower = np.where(self.kept("Export"), -every(grid["export_limit_mw"], n), -INF)
        upper = np.where(self.kept("Import"), every(grid["import_limit_mw"], n), INF)
        price = np.array(grid["import_usd_per_mwh"], dtype=float)
        pays = grid["export_usd_per_mwh"]
        split = (pays is not None or grid["blocks"]) and self.conflict is None
        self.exchange = self.model.add(lower, upper, 0.0 if split else self.money(hours * price), n)
        if split:
            pays = price if pays is None else np.array(pays, dtype=float)
            bought = self.model.add(0.0, INF, hours * price, n)
            sold = self.model.add(-INF, 0.0, hours * pays, n)
            self.split(grid["blocks"], [(1.0, self.exchange), (-1.0, bought), (-1.0, sold)])
        self.ramps = [(None, self.keep_ramp("ExchangeRamp", grid["ramp"], [(1.0, self.exchange)]))]
        self.peaks = []
        if self.conflict is None:
            for peak in grid["peaks"]:
                first, last = peak["from"], peak["to"]
                highest = self.model.add(peak["already_mw"], INF, peak["usd_per_mw"], 1)
                self.model.constant -= peak["usd_per_mw"] * peak["already_mw"]
                terms = [(1.0, np.repeat(highest, last - first)), (-1.0, self.exchange[first:last])]
                self.peaks.append((first, last, self.model.keep(terms, 0.0, INF)))

    def split(self, blocks, terms):
        """The exchange is what is bought, sold, and drawn from each block of its interval."""
        n = self.n
        count = np.zeros(n, int)
        for block in blocks:
            count[block["from"] : block["to"]] += 1
        drawn = np.zeros((count.max(initial=0), n), int)
        count[:] = 0
        for block in blocks:
            span = np.arange(block["from"], block["to"])
            resale = every(block["resale_usd_per_mwh"], n)[span]
            drawn[count[span], span] = self.model.add(0.0, block["mw"], self.hours * resale, len(span))
            count[span] += 1
        for blocks_at_once in np.unique(count):
            t = np.flatnonzero(count == blocks_at_once)
            whole = [(factor, column[t]) for factor, column in terms]
            self.model.keep(whole + [(-1.0, drawn[k, t]) for k in range(blocks_at_once)], 0.0, 0.0)

    def place_loads(self, horizon):
        """What each segment draws, floors, ceilings, ramps and machines."""
        n, hours = self.n, self.hours
        worth = np.array(horizon["worth_usd_per_mwh"], dtype=float).reshape(n, -1)
        self.segments, self.loads, place = [], [], 0
        for which, load in enumerate(horizon["loads"]):
            widths = load["segments_mw"]
            floor = np.where(self.kept(f"Floor {which}"), every(load["floor_mw"], n), 0.0)
            floor = np.maximum(floor, 0.0)
            ceiling = np.minimum(every(load["ceiling_mw"], n), sum(widths))
            ceiling = np.where(self.kept(f"Ceiling {which}"), ceiling, INF)
            machine = load.get("machine")
            least = np.zeros(n) if machine else floor
            if self.conflict is not None or len(widths) == 1:
                usd = self.money(-hours * worth[:, place]) if widths else 0.0
                columns = [self.model.add(least, ceiling, usd, n)]
            else:
                columns = [self.model.add(0.0, width, -hours * worth[:, place + k], n) for k, width in enumerate(widths)]
                bound = (least > 0.0) | (ceiling < sum(widths))
                if columns:
                    self.model.keep([(1.0, column[bound]) for column in columns], least[bound], ceiling[bound])
                elif np.any(least > ceiling):
                    self.model.add(1.0, 0.0)
            total = [(1.0, column) for column in columns]
            if total:
                if machine:
                    self.commit(machine, total, floor, ceiling)
                self.ramps.append((which, self.keep_ramp(f"LoadRamp {which}", load["ramp"], total)))
            self.segments += columns
            self.loads.append(total)
            place += len(widths)

    def keep_ramp(self, name, ramp, total):
        """How far a total may move from each interval to the next; (interval, row) of each row."""
        up = INF if ramp["up_mw"] is None else ramp["up_mw"]
        down = INF if ramp["down_mw"] is None else ramp["down_mw"]
        kept = self.kept(name)
        if (up == INF and down == INF) or not kept.any():
            return np.zeros(0, int), np.zeros(0, int)
        later = np.flatnonzero(kept[1:]) + 1
        terms = [(f, c[later]) for f, c in total] + [(-f, c[later - 1]) for f, c in total]
        rows = self.model.keep(terms, -down, up)
        if kept[0] and ramp["before_mw"] is not None:
            first = self.model.keep([(f, c[:1]) for f, c in total], ramp["before_mw"] - down, ramp["before_mw"] + up)
            return np.append(later, 0), np.append(rows, first)
        return later, rows

    def commit(self, machine, total, floor, ceiling):
        """All or nothing: on and off in whole, for at least so long, at a price for each start."""
        n, model = self.n, self.model
        on = model.add(0.0, 1.0, 0.0, n, binary=True)
        start = model.add(0.0, 1.0, float(machine["start_usd"]), n, binary=True)
        model.keep(total + [(-floor, on)], 0.0, INF)
        model.keep(total + [(-ceiling, on)], -INF, 0.0)
        model.keep([(1.0, start[1:]), (-1.0, on[1:]), (1.0, on[:-1])], 0.0, INF)
        before = machine["on_before"]
        down = machine["down_intervals"]
        if before is not None:
            model.keep([(1.0, start[:1]), (-1.0, on[:1])], -float(before), INF)
            if before and down:
                model.keep([(1.0, start[k : k + 1]) for k in range(min(down, n))], -INF, 0.0)
        for t in range(n):
            recent = range(max(0, t - machine["up_intervals"] + 1), t + 1)
            model.keep([(1.0, on[t : t + 1])] + [(-1.0, start[k : k + 1]) for k in recent], 0.0, INF)
            if down and t >= down:
                recent = range(t - down + 1, t + 1)
                model.keep([(1.0, on[t - down : t - down + 1])] + [(1.0, start[k : k + 1]) for k in recent], -INF, 1.0)

    def place_stores(self, stores):
        """What is taken in, given back and held."""
        n, hours, model = self.n, self.hours, self.model
        self.charge, self.discharge, self.stored, self.recursion = [], [], [], []
        for which, store in enumerate(stores):
            power, held = self.kept(f"StorePower {which}"), self.kept(f"Stored {which}")
            charge = model.add(0.0, np.where(power, every(store["charge_mw"], n), INF), 0.0, n)
            wear = self.money(hours * store["wear_usd_per_mwh"])
            discharge = model.add(0.0, np.where(power, every(store["discharge_mw"], n), INF), wear, n)
            # What is held as the first interval of a conflict begins keeps its limits too.
            looked_at = held | np.append(held[1:], False)
            lower = np.where(looked_at, every(store["stored_min_mwh"], n), -INF)
            upper = np.where(looked_at, every(store["stored_max_mwh"], n), INF)
            stored = model.add(lower, upper, 0.0, n)
            into, out = -hours * store["charge_efficiency"], hours / store["discharge_efficiency"]
            rows = []
            if held[:1].any():
                terms = [(1.0, stored[:1]), (into, charge[:1]), (out, discharge[:1])]
                rows.append(model.keep(terms, store["stored_mwh"], store["stored_mwh"]))
            later = np.flatnonzero(held[1:]) + 1
            terms = [(1.0, stored[later]), (-1.0, stored[later - 1]), (into, charge[later]), (out, discharge[later])]
            rows.append(model.keep(terms, 0.0, 0.0))
            if held[-1:].any():
                self.keep_end(store["end"], stored)
            self.charge.append(charge)
            self.discharge.append(discharge)
            self.stored.append(stored)
            self.recursion.append(np.concatenate(rows))

    def keep_end(self, end, stored):
        """What is held at the end: free, given, or worth something."""
        if "at_mwh" in end:
            self.model.keep([(1.0, stored[-1:])], end["at_mwh"], end["at_mwh"])
        elif "worth" in end:
            parts = [self.model.add(0.0, mwh, self.money(-usd), 1) for mwh, usd in end["worth"]]
            rest = self.model.add(0.0, INF, 0.0, 1)
            parts = [(-1.0, part) for part in parts]
            self.model.keep([(1.0, stored[-1:]), (-1.0, rest)] + parts, 0.0, 0.0)

    def balance(self):
        """What is exchanged is what everything draws."""
        terms = [(1.0, self.exchange)]
        terms += [(-factor, column) for total in self.loads for factor, column in total]
        terms += [(-1.0, charge) for charge in self.charge] + [(1.0, discharge) for discharge in self.discharge]
        self.balanced = self.model.keep(terms, self.base, self.base)
        self.feeder_rows = []

    def keep_feeder(self, place, feeder, feeders):
        """What flows towards the loads below a feeder."""
        def below(at):
            while at is not None and at != place:
                at = feeders[at]["parent"]
            return at == place

        terms = [term for total, at in zip(self.loads, self.load_feeders) if below(at) for term in total]
        for charge, discharge, at in zip(self.charge, self.discharge, self.store_feeders):
            if below(at):
                terms += [(1.0, charge), (-1.0, discharge)]
        kept = np.flatnonzero(self.kept(f"Feeder {place}"))
        limit = every(feeder["limit_mw"], self.n)
        if not terms:
            if np.any(limit[kept] < 0.0):
                self.model.add(1.0, 0.0)
            self.feeder_rows.append((np.zeros(0, int), np.zeros(0, int)))
            return
        rows = self.model.keep([(factor, column[kept]) for factor, column in terms], -INF, limit[kept])
        self.feeder_rows.append((kept, rows))

    def solve(self, tight=True):
        """Status, objective, plan and prices."""
        if self.model.is_plainly_infeasible():
            return None, "infeasible"
        highs = self.model.hand_over(tight)
        highs.run()
        status = highs.getModelStatus()
        kinds = highspy.HighsModelStatus
        names = {kinds.kOptimal: "optimal", kinds.kInfeasible: "infeasible", kinds.kModelEmpty: "optimal"}
        return highs, names.get(status, str(status))

    def answer(self, highs):
        """The optimum as an `Answer` of ours is written."""
        solution = highs.getSolution()
        x, cost, dual = (np.array(part) for part in (solution.col_value, solution.col_dual, solution.row_dual))
        hours = self.hours
        table = lambda columns, values: np.column_stack([values[c] for c in columns]).ravel() if columns else np.zeros(0)
        feeders = np.zeros((self.n, len(self.feeder_rows)))
        for place, (kept, rows) in enumerate(self.feeder_rows):
            feeders[kept, place] = np.maximum(0.0, -dual[rows] / hours)
        peaks = np.zeros(self.n)
        for first, last, rows in self.peaks:
            peaks[first:last] = np.maximum(0.0, dual[rows] / hours)
        ramps = [
            {"t": int(t), "load": load, "usd_per_mw": -float(dual[row])}
            for load, (intervals, rows) in self.ramps
            for t, row in zip(intervals, rows)
            if dual[row] != 0.0
        ]
        plain = {
            "segments_mw": table(self.segments, x),
            "exchange_mw": x[self.exchange],
            "charge_mw": table(self.charge, x),
            "discharge_mw": table(self.discharge, x),
            "stored_mwh": table(self.stored, x),
            "peaks_mw": np.array([x[self.exchange[a:b]].max() for a, b, _ in self.peaks]),
            "power_usd_per_mwh": dual[self.balanced] / hours,
            "import_usd_per_mwh": np.maximum(0.0, -cost[self.exchange] / hours),
            "peak_usd_per_mwh": peaks,
            "export_usd_per_mwh": np.maximum(0.0, cost[self.exchange] / hours),
            "feeders_usd_per_mwh": feeders.ravel(),
            "stored_usd_per_mwh": table(self.recursion, -dual),
            "store_room_usd_per_mwh": table(self.stored, -cost),
        }
        return {name: values.tolist() for name, values in plain.items()} | {"ramps": ramps}


def reply(request):
    """What HiGHS says to a request."""
    horizon, conflict = request["horizon"], request.get("conflict")
    if conflict is not None:
        status = lambda limits: Problem(horizon, conflict | {"limits": limits}).solve()[1]
        limits = conflict["limits"]
        needless = [limit for limit in limits if status([other for other in limits if other != limit]) == "infeasible"]
        return {"conflict": status(limits), "needless": needless}
    built = Problem(horizon)
    highs, status = built.solve()
    if status != "optimal":
        return {"status": status}
    whole = any(load.get("machine") for load in horizon["loads"])
    found = {"status": status, "objective": highs.getInfo().objective_function_value}
    return found if whole else found | {"answer": built.answer(highs)}


def bench(path, runs):
    """CPU seconds from arrays in to primal and duals out, the median of several runs."""
    with open(path, encoding="utf-8") as file:
        horizon = json.load(file)["horizon"]
    as_arrays(horizon)
    spent = []
    for _ in range(runs):
        began = time.process_time()
        built = Problem(horizon)
        highs, status = built.solve(tight=False)
        solution = highs.getSolution()
        x, dual = np.array(solution.col_value), np.array(solution.row_dual)
        spent.append(time.process_time() - began)
    size = (len(x), len(dual), sum(len(part) for part in built.model.value))
    print(json.dumps({
        "tool": "highspy", "status": status, "T": built.n, "cpu_s": round(statistics.median(spent), 4),
        "objective": highs.getInfo().objective_function_value, "cols": size[0], "rows": size[1], "nnz": size[2],
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }))


def check(path):
    """How far objectives that another program found are from ours, at worst."""
    worst, count = 0.0, 0
    with open(path, encoding="utf-8") as file:
        for request in map(json.loads, file):
            highs, status = Problem(request["horizon"]).solve()
            objective = highs.getInfo().objective_function_value if status == "optimal" else INF
            apart = abs(objective - request["objective"])
            worst, count = max(worst, apart / max(1.0, abs(objective + request["offset"]))), count + 1
    print(json.dumps({"checked": count, "worst": worst}))


def as_arrays(value):
    """Lists of numbers as arrays, before the clock runs: whoever calls holds arrays."""
    for key, each in value.items() if isinstance(value, dict) else []:
        if isinstance(each, list) and len(each) > 1000 and not isinstance(each[0], dict):
            value[key] = np.array(each, dtype=float)
        elif isinstance(each, dict):
            as_arrays(each)
        elif isinstance(each, list):
            for part in each:
                as_arrays(part)


def main():
    if sys.argv[1:2] == ["bench"]:
        return bench(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    if sys.argv[1:2] == ["check"]:
        return check(sys.argv[2])
    # HiGHS says a thing or two on standard output, whatever it is told.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(reply(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
