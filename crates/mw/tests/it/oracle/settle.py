"""Statements recomputed in another language, from contract and facts.

Settles a contract, its amendments known from the day they take effect, from a record
without doubtful facts, with nothing but exact fractions, second by second where that is
what it takes, and compares each statement in a folder of `mw settle --out` with what it
comes to: every line, tax, total and what is carried on. Shares no code and no data
structure with the program.

Usage: settle.py CONTRACT FOLDER, where CONTRACT is a file or the folder of its versions
"""

import calendar
import datetime as dt
import glob
import json
import sys
from fractions import Fraction

try:
    import tomllib
    from zoneinfo import ZoneInfo
except ImportError as missing:
    print(f"skipped: this Python has no {missing.name}")
    sys.exit(0)

FEES = ("capacity", "shortfall", "overage")
KINDS = FEES + ("sla", "delay", "power", "prepayment", "refund", "termination_fee")
CLASSES = ("available", "customer_caused", "force_majeure", "grid", "planned", "flex",
           "degraded", "unknown", "down")
FOREVER = 1 << 40


def instant(text):
    return int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def rounded(exact, rule="line-half-up"):
    """To a whole number: half away from zero, or to the even neighbour."""
    if rule == "line-half-even":
        return round(exact)
    whole = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return whole if exact >= 0 else -whole


class Calendar:
    def __init__(self, zone):
        self.zone = ZoneInfo(zone)

    def midnight(self, date):
        return int(dt.datetime(date.year, date.month, date.day, tzinfo=self.zone).timestamp())

    def local(self, at):
        return dt.datetime.fromtimestamp(at, self.zone)

    def month(self, at):
        local = self.local(at)
        return local.year * 12 + local.month - 1

    def edges(self, month):
        first = [dt.date(m // 12, m % 12 + 1, 1) for m in (month, month + 1)]
        return self.midnight(first[0]), self.midnight(first[1])

    def months_after(self, anchor, months):
        """Counted from the anchor, clamped to the month's end."""
        local = self.local(anchor)
        month = local.year * 12 + local.month - 1 + months
        year, month = month // 12, month % 12 + 1
        day = min(local.day, calendar.monthrange(year, month)[1])
        return int(local.replace(year=year, month=month, day=day, fold=0).timestamp())


class Settlement:
    """What is owed by the facts known at one instant."""

    def __init__(self, versions, facts):
        self.versions, self.c, self.facts = versions, versions[0], facts
        self.cal = Calendar(self.c["timezone"])
        self.minor = {"JPY": 1, "KWD": 1000}.get(self.c["currency"], 100)
        self.rule = self.c.get("rounding", {}).get("money", "line-half-up")
        self.by_kind, self.said, self.named = {}, {}, {}
        for fact in facts:
            self.by_kind.setdefault(fact["kind"], []).append(fact)
            body = fact["body"]
            if fact["kind"] == "unit_state":
                for unit in body.get("units", [body.get("unit")]):
                    self.said.setdefault(unit, []).append(fact)
            if fact["kind"] in ("notice", "grid_instruction"):
                self.named.setdefault(body["id"], []).append(fact)
            if fact["kind"] == "incident_classification":
                self.named.setdefault(body["incident"], []).append(fact)

    def of(self, kind):
        return self.by_kind.get(kind, [])

    def version(self, at):
        """The version that settles an instant: the last that has taken effect."""
        begun = [v for v in self.versions[1:] if self.cal.midnight(v["effective"]) <= at]
        return begun[-1] if begun else self.versions[0]

    def sla(self, at):
        return self.version(at).get("sla") or {}

    def is_ours(self, body, tranche):
        return body.get("tranche") == tranche and body.get("contract", self.c["id"]) == self.c["id"]

    # -- what a unit was -------------------------------------------------------------

    def holding(self, said, at):
        bounded = [f for f in said if f["to"] is not None and f["from"] <= at < f["to"]]
        opened = [f for f in said if f["to"] is None and f["from"] <= at]
        last = max(opened, key=lambda f: (f["from"], f["seq"]), default=None)
        return max(bounded + ([last] if last else []), key=lambda f: f["seq"], default=None)

    def windows(self, kind, reference, test=lambda fact: True):
        return [(f["from"], f["to"] or FOREVER) for f in self.named.get(reference, [])
                if f["kind"] == kind and test(f)]

    def stretches(self, unit, tranche, start, end):
        """(from, to, class) over a unit's service."""
        said = [f for f in self.said.get(unit, []) if f["from"] < end]
        cuts, incidents = {start, end}, {f["body"].get("ref") for f in said}
        classes = [f for name in incidents for f in self.named.get(name, [])]
        incidents |= {f["body"].get("ref") for f in classes}
        evidence = [f for name in incidents for f in self.named.get(name, [])]
        for fact in said + evidence + self.of("flex"):
            cuts |= {fact["from"], fact["to"] or end}
        month = self.cal.month(start)
        cuts |= {self.cal.midnight(version["effective"]) for version in self.versions[1:]}
        while self.cal.edges(month)[0] < end:
            cuts.add(self.cal.edges(month)[0])
            month += 1
        cuts = sorted(at for at in cuts if start <= at <= end)
        found = []
        for a, b in zip(cuts, cuts[1:]):
            if not any(x <= a < y for x, y in self.service(tranche, start)):
                continue
            what = self.classify(self.holding(said, a), a, tranche)
            if what is not None:
                found.append([a, b, what])
        return self.forgive(self.spend(found), True)

    def service(self, tranche, start):
        """The spans in which each version that has the tranche settles its service."""
        edges = [-FOREVER] + [self.cal.midnight(v["effective"]) for v in self.versions[1:]] + [FOREVER]
        anchor = min(at for at, *_ in self.tenures(tranche).values())
        ending = self.ending(tranche)
        for version, a, b in zip(self.versions, edges, edges[1:]):
            for terms in version["tranche"]:
                if terms["id"] == tranche:
                    end = self.cal.months_after(anchor, terms["months"])
                    if ending:
                        end = min(end, ending["from"])
                    if max(a, start) < min(b, end):
                        yield max(a, start), min(b, end)

    def by_unit(self, at):
        return self.sla(at).get("basis") != "blocks"

    def classify(self, said, at, tranche):
        if said is None:
            return "unknown"
        body = said["body"]
        state, reference = body["state"], body.get("ref")
        classes = [f for f in self.named.get(reference, [])
                   if f["kind"] == "incident_classification"]
        if classes and state not in ("available", "not_accepted"):
            latest = max(classes, key=lambda f: f["seq"])["body"]
            state, reference = latest["class"], latest.get("ref") or reference
        c, excused = self.version(at), self.sla(at).get("excused", {})
        covered = lambda windows: any(a <= at < b for a, b in windows)
        hours = lambda text: Fraction(str(text)) * 3600
        if state == "not_accepted":
            return None
        if state == "available":
            floor = c.get("power_floor", {}).get("watts_per_gpu")
            cap = body.get("cap_w_per_gpu")
            if floor is None or cap is None or Fraction(str(cap)) >= Fraction(floor):
                return "available"
            flexed = [(f["from"], f["to"] or FOREVER) for f in self.of("flex")
                      if self.is_ours(f["body"], tranche)]
            return "flex" if "flex" in c and covered(flexed) else "down"
        if state == "planned" and "planned_maintenance" in excused:
            ahead = hours(excused["planned_maintenance"]["notice_hours"])
            in_time = lambda f: (f["body"]["about"] == "planned_maintenance"
                                 and f["known"] + ahead <= f["from"])
            return "planned" if covered(self.windows("notice", reference, in_time)) else "down"
        if state == "grid" and "grid_emergency" in excused:
            return "grid" if covered(self.windows("grid_instruction", reference)) else "down"
        if state == "force_majeure" and "force_majeure" in excused:
            after = hours(excused["force_majeure"]["notice_hours"])
            in_time = lambda f: (f["body"]["about"] == "force_majeure"
                                 and f["known"] <= said["from"] + after)
            return "force_majeure" if self.windows("notice", reference, in_time) else "down"
        if state == "customer_caused" and "customer_caused" in excused:
            return state
        return state if state in ("degraded", "unknown") else "down"

    def spend(self, stretches):
        """Excused time above a unit's budgets is down, in the order of time."""
        used, found = {}, []
        for a, b, what in stretches:
            excused = self.sla(a).get("excused", {})
            budget = {"planned": excused.get("planned_maintenance", {}).get("hours_per_month"),
                      "grid": excused.get("grid_emergency", {}).get("hours_per_year"),
                      "flex": self.version(a).get("flex", {}).get("hours_per_month")}
            hours = budget.get(what)
            if hours is None:
                found.append([a, b, what])
                continue
            month = self.cal.month(a)
            key = what, month // 12 if what == "grid" else month
            left = int(Fraction(str(hours)) * 3600) - used.get(key, 0)
            within = max(0, min(b - a, left))
            used[key] = used.get(key, 0) + within
            for part in ([a, a + within, what], [a + within, b, "down"]):
                if part[0] < part[1]:
                    found.append(part)
        return found

    def forgive(self, stretches, units):
        """Of units, or of blocks: each only where it is what is counted."""
        def is_lost(stretch):
            return stretch[2] == "down" or stretch[2] == "degraded" and self.degraded(stretch[0]) == 1

        place = 0
        while place < len(stretches):
            if not is_lost(stretches[place]):
                place += 1
                continue
            last = place
            while (last + 1 < len(stretches) and is_lost(stretches[last + 1])
                   and stretches[last + 1][0] == stretches[last][1]):
                last += 1
            run = stretches[last][1] - stretches[place][0]
            for stretch in stretches[place:last + 1]:
                if (self.by_unit(stretch[0]) == units
                        and run < self.sla(stretch[0]).get("min_incident_seconds", 0)):
                    stretch[2] = "available"
            place = last + 1
        return stretches

    def degraded(self, at):
        text = self.sla(at).get("degraded", "count-as-down")
        return {"count-as-down": Fraction(1), "count-as-available": Fraction(0)}.get(text) \
            if text.startswith("count") else Fraction(text)

    # -- a tranche's service ---------------------------------------------------------

    def tenures(self, tranche):
        """unit -> (accepted at, size, domain, acceptance); a later acceptance replaces."""
        found = {}
        for fact in self.of("acceptance"):
            if fact["body"]["tranche"] == tranche and fact["body"]["contract"] == self.c["id"]:
                for unit in fact["body"]["units"]:
                    size = unit.get("gpus", unit.get("kw"))
                    found[unit["unit"]] = (fact["from"], size, unit.get("domain"), fact["seq"])
        return found

    def ending(self, tranche):
        ends = [f for f in self.of("termination") if f["body"]["tranche"] == "all"
                or self.is_ours(f["body"], tranche)]
        return max(ends, key=lambda f: f["seq"], default=None)

    def seconds(self, tranche, tenures):
        """month -> class -> unit-seconds."""
        months, blocks = {}, {}
        for unit, (at, size, domain, _) in tenures.items():
            end = max((b for _, b in self.service(tranche, at)), default=at)
            own = self.stretches(unit, tranche, at, end) if at < end else []
            for a, b, what in own:
                if self.by_unit(a):
                    self.tally(months, [(a, b, what)], size)
            blocks.setdefault(domain, []).append(([x for x in own if not self.by_unit(x[0])], size))
        for members in blocks.values():
            self.block(months, members)
        return months

    def tally(self, months, stretches, size):
        for a, b, what in stretches:
            while a < b:
                month = self.cal.month(a)
                to = min(b, self.cal.edges(month)[1])
                row = months.setdefault(month, dict.fromkeys(CLASSES, 0))
                row[what] += (to - a) * size
                a = to

    def block(self, months, members):
        cuts = sorted({at for own, _ in members for a, b, _ in own for at in (a, b)})
        joined = []
        for a, b in zip(cuts, cuts[1:]):
            there = [(what, size) for own, size in members
                     for x, y, what in own if x <= a < y]
            if not there:
                continue
            needed = self.sla(a)["block"]["needed"]
            whole, size = "down", sum(size for _, size in there)
            if len(there) >= needed:
                # Degraded that counts wholly as down comes after unknown.
                late = {"degraded"} if self.degraded(a) == 1 else set()
                rank = lambda what: 7.5 if what in late else CLASSES.index(what)
                whole = sorted((what for what, _ in there), key=rank)[needed - 1]
            if joined and joined[-1][1] == a and joined[-1][2:] == [whole, size]:
                joined[-1][1] = b
            else:
                joined.append([a, b, whole, size])
        self.forgive(joined, True)
        for a, b, what, size in joined:
            self.tally(months, [(a, b, what)], size)

    # -- money -----------------------------------------------------------------------

    def price(self, terms, at, base=False):
        price = terms["price"]
        amount = Fraction(price["amount"])
        for step in price.get("steps", []):
            if self.cal.midnight(step["from"]) <= at:
                amount = Fraction(step["amount"])
        index = price.get("index")
        if index is None:
            return amount
        values = [f for f in self.of("index_value")
                  if f["body"]["index"] == index["name"] and f["from"] <= at]
        latest = max(values, key=lambda f: (f["from"], f["seq"]), default=None)
        ratio = Fraction(1)
        if latest is not None and not base:
            ratio = Fraction(latest["body"]["value"]) / Fraction(index["base"])
        if "floor" in index:
            ratio = max(ratio, Fraction(index["floor"]))
        if "cap" in index:
            ratio = min(ratio, Fraction(index["cap"]))
        share = Fraction(index.get("share", "1"))
        return amount * (1 - share + share * ratio)

    def pieces(self, terms, a, b):
        cuts = {a, b} | {self.cal.midnight(s["from"]) for s in terms["price"].get("steps", [])}
        cuts |= {f["from"] for f in self.of("index_value")}
        cuts = sorted(at for at in cuts if a <= at <= b)
        return list(zip(cuts, cuts[1:]))

    def count(self, terms):
        if "gpus" in terms:
            return terms["gpus"]
        return int(Fraction(terms["price"]["mw"]) * 1000)

    def full(self, terms, anchor, a, b, base=False):
        """What the full quantity costs from a to b."""
        sum_ = Fraction(0)
        if terms["price"]["unit"] == "gpu-hour":
            for x, y in self.pieces(terms, a, b):
                sum_ += self.price(terms, x, base) * self.count(terms) * (y - x) / 3600
            return sum_
        month, start = 1, anchor
        while start < b:
            end = self.cal.months_after(anchor, month)
            for x, y in self.pieces(terms, max(a, start), min(b, end)) if max(a, start) < min(b, end) else []:
                sum_ += self.price(terms, x, base) * Fraction(y - x, end - start)
            month, start = month + 1, end
        return sum_

    def reserved_in(self, tenures, end, a, b):
        return sum(size * max(0, min(b, end) - max(a, at)) for at, size, _, _ in tenures.values())

    def terms(self, tranche, at):
        return next((t for t in self.version(at)["tranche"] if t["id"] == tranche), None)

    def tranche(self, tranche, last, frozen):
        """month -> kind -> minor units, up to the month `last`."""
        cal, tenures = self.cal, self.tenures(tranche)
        anchor = min((at for at, *_ in tenures.values()), default=None)
        seconds = self.seconds(tranche, tenures) if anchor is not None else {}
        state = dict(fees=[], credits=[], delay=0, applied=0, refunded=0, lots=[])
        agreed_first = min(cal.midnight(other["delivery"]) for other in self.c["tranche"])
        first = min([cal.month(agreed_first)] + [cal.month(at) for at, *_ in tenures.values()])
        owed, power = {}, {}
        for month in range(first, last + 1):
            begun = cal.edges(month)[0]
            c, terms = self.version(begun), self.terms(tranche, begun)
            if terms is None:
                state["fees"].append(Fraction(0))
                state["credits"].append(0)
                owed[month] = dict.fromkeys(KINDS, 0) | frozen.get(month, {})
                continue
            if c["effective"] not in power:
                power[c["effective"]] = self.power(c, tranche)
            owed[month] = self.month(c, terms, month, tenures, anchor, seconds.get(month),
                                     power[c["effective"]], state, frozen.get(month))
        return owed

    def plan(self, c, terms, anchor):
        """(begins, minor units) of each instalment."""
        pre, cal = c.get("prepayment"), self.cal
        if not pre or anchor is None:
            return
        delivery = cal.midnight(terms["delivery"])
        signed = self.full(terms, delivery, delivery, cal.months_after(delivery, terms["months"]), True)
        agreed = rounded(Fraction(pre["percent"]) / 100 * signed * self.minor, self.rule)
        part = agreed // pre["credit_over"]
        for k in range(pre["credit_over"]):
            begins = cal.months_after(anchor, pre["credit_from"] + k - 1)
            rest = agreed - part * (pre["credit_over"] - 1)
            yield begins, rest if k == pre["credit_over"] - 1 else part

    def ending_fee(self, c, terms, anchor, ending):
        """What is approved for ending early, in the month of the end."""
        wanted = f"termination-fee:{terms['id']}"
        approved = [f for f in self.of("approval") if f["body"]["approves"] == wanted]
        if not approved:
            return 0
        amount = Fraction(max(approved, key=lambda f: f["seq"])["body"]["amount"])
        rule = c.get("termination", {})
        rest = self.full(terms, anchor, max(ending["from"], anchor), self.cal.months_after(anchor, terms["months"]))
        most = rest * (1 - Fraction(rule.get("mitigation", "0")))
        assert rule.get("fee", "none") != "none" and 0 <= amount <= most, "the record has no doubtful facts"
        return rounded(amount * self.minor, self.rule)

    def month(self, c, terms, month, tenures, anchor, seconds, power, state, kept):
        a, b = self.cal.edges(month)
        natural = self.cal.months_after(anchor, terms["months"]) if anchor is not None else None
        ending, end = self.ending(terms["id"]), natural
        if ending and natural is not None:
            end = min(natural, ending["from"])
        plan = list(self.plan(c, terms, anchor))
        row = dict.fromkeys(KINDS, 0)
        s = seconds or dict.fromkeys(CLASSES, 0)
        reserved = sum(s.values())
        fee = self.fees(terms, month, tenures, anchor, end, reserved, state)
        if kept is not None:
            row.update(kept)
            exact = Fraction(row["capacity"] + row["shortfall"])
            state["credits"].append(-row["sla"])
            state["fees"].append(exact)
            state["delay"] -= row["delay"]
            state["applied"] -= row["prepayment"]
            state["refunded"] -= row["refund"]
            return row
        for kind in FEES:
            row[kind] = rounded(fee[kind] * self.minor, self.rule)
        exact = (fee["capacity"] + fee["shortfall"]) * self.minor
        credit = self.sla_credit(terms, month, s, reserved, exact, state)
        state["fees"].append(exact)
        state["credits"].append(credit)
        row["sla"] = -credit
        late = sum(self.late(c, terms, tenures, anchor, b), Fraction(0))
        given = max(0, min(rounded(late * self.minor, self.rule) - state["delay"], row["capacity"] + row["sla"]))
        state["delay"] += given
        row["delay"] = -given
        row["power"] = power.get(month, 0)
        received = sum(rounded(Fraction(f["body"]["amount"]) * self.minor, self.rule) for f in self.of("payment")
                       if f["body"].get("for") == f"prepayment:{terms['id']}" and f["from"] < b
                       and f["body"].get("contract", c["id"]) == c["id"])
        left = received - state["applied"] - state["refunded"]
        due = sum(amount for at, amount in plan if at < b) - state["applied"]
        early = ending if ending and (natural is None or ending["from"] < natural) else None
        over = early["from"] if early else natural
        is_over = over is not None and over <= b
        if is_over:
            due = left
        room = sum(row[kind] for kind in FEES + ("sla", "delay"))
        applied = max(0, min(due, left, room))
        state["applied"] += applied
        row["prepayment"] = -applied
        rule = (c.get("prepayment") or {}).get("refundable", "on-supplier-termination")
        back = not early or rule == "always" or (
            rule == "on-supplier-termination" and early["body"]["cause"] in ("supplier", "long_stop"))
        if is_over and back and c.get("prepayment"):
            rest = max(0, left - applied)
            state["refunded"] += rest
            row["refund"] = -rest
        if ending and a <= ending["from"] < b and anchor is not None:
            row["termination_fee"] = self.ending_fee(c, terms, anchor, ending)
        return row

    def fees(self, terms, month, tenures, anchor, end, reserved, state):
        a, b = self.cal.edges(month)
        fee = dict.fromkeys(FEES, Fraction(0))
        used = self.used(terms, a, b)
        if reserved == 0 and not used:
            return fee
        x, y = (max(a, anchor), min(b, end)) if anchor is not None else (a, b)
        x, y = (x, y) if x < y else (a, b)
        weighed = [(self.price(terms, p), self.reserved_in(tenures, end, p, q) if anchor is not None else 0, q - p)
                   for p, q in self.pieces(terms, x, y)]
        total = sum(weight for _, weight, _ in weighed)
        by = 1 if total else 2
        price = sum(w[0] * w[by] for w in weighed) / Fraction(sum(w[by] for w in weighed))
        if terms["price"]["unit"] != "gpu-hour":
            fee["capacity"] = price * Fraction(reserved, self.count(terms) * (b - a))
            return fee
        take = self.version(a).get("take_or_pay", {})
        share = Fraction(take.get("percent", "100")) / 100
        used = reserved if used is None else used
        over = max(0, used - reserved)
        short = max(Fraction(0), share * reserved - used)
        make_up = take.get("make_up", "none")
        if make_up != "none":
            state["lots"] = [lot for lot in state["lots"] if lot[0] >= month]
            for lot in state["lots"]:
                part = min(lot[1], over)
                lot[1] -= part
                over -= part
            until = 1 << 30 if make_up == "term-end" else month + int(make_up.split(":")[1])
            state["lots"].append([until, short])
        fee["capacity"] = price / 3600 * min(used, reserved)
        fee["shortfall"] = price / 3600 * short
        fee["overage"] = Fraction(terms["price"].get("overage", price)) / 3600 * over
        return fee

    def used(self, terms, a, b):
        said = {}
        for fact in self.of("usage"):
            if self.is_ours(fact["body"], terms["id"]) and a <= fact["from"] < b:
                said[fact["site"], fact["source"], fact["from"], fact["to"]] = fact["body"]["gpu_seconds"]
        return sum(said.values()) if said and terms["price"]["unit"] == "gpu-hour" else None

    def sla_credit(self, terms, month, s, reserved, exact, state):
        a = self.cal.edges(month)[0]
        sla = self.sla(a)
        if not sla:
            return 0
        counted = reserved - sum(s[k] for k in ("planned", "grid", "force_majeure", "customer_caused", "flex"))
        if sla.get("gap_policy", "ask") == "exclude":
            counted -= s["unknown"]
        lost = s["down"] + self.degraded(a) * s["degraded"]
        available = Fraction(counted - lost) / counted if counted else Fraction(1)
        credit = max([Fraction(t["credit"]) for t in sla.get("tiers", [])
                      if available < Fraction(t["below"])], default=Fraction(0))
        credit = rounded(exact * min(credit, Fraction(sla.get("month_cap", "1"))), self.rule)
        if "year_cap" in sla:
            cap = Fraction(sla["year_cap"]) * (sum(state["fees"][-11:]) + exact)
            credit = min(credit, max(0, cap.numerator // cap.denominator - sum(state["credits"][-11:])))
        claim = sla.get("claim", "automatic")
        if claim != "automatic":
            days = int(claim.split(":")[1][:-1])
            first = self.cal.local(self.cal.edges(month)[1]).date()
            deadline = self.cal.midnight(first + dt.timedelta(days=days))
            period = f"{month // 12}-{month % 12 + 1:02}"
            asked = [f for f in self.of("claim") if f["body"]["period"] == period
                     and self.is_ours(f["body"], terms["id"]) and f["known"] <= deadline]
            credit = credit if asked else 0
        return credit

    def late(self, c, terms, tenures, anchor, until):
        delay = c.get("delay", {})
        credit = delay.get("credit")
        if not credit or anchor is None:
            return
        start = self.cal.midnight(terms["delivery"])
        windows = [(f["from"], f["to"] or FOREVER) for f in self.facts
                   if f["kind"] == "grid_instruction"
                   or f["kind"] == "notice" and f["body"]["about"] == "force_majeure"]
        batches = {}
        for at, size, _, seq in tenures.values():
            batches[at, seq] = batches.get((at, seq), 0) + size
        for (at, _), size in batches.items():
            if at >= until:
                continue
            excused, reach = 0, start
            for a, b in sorted(windows):
                a, b = max(a, reach), min(b, at)
                if a < b:
                    excused, reach = excused + b - a, b
            days = (self.cal.local(at).date() - terms["delivery"]).days
            days -= delay.get("grace_days", 0) + excused // 86400
            days = max(0, min(days, credit["cap_days"]))
            fee = self.full(terms, anchor, anchor, self.cal.months_after(anchor, 1))
            yield Fraction(credit["per_day"]) * days * fee * Fraction(size, self.count(terms))

    def power(self, c, tranche):
        """month -> minor units."""
        power = c.get("power", {})
        mode = power.get("mode", "included")
        if mode == "included":
            return {}
        readings = {}
        for fact in self.of("meter_interval"):
            readings.setdefault((fact["from"], fact["to"]), {})[fact["body"]["meter"]] = fact
        estimate, meters, main_of = {}, {}, {}
        for (a, b), there in sorted(readings.items()):
            month = self.cal.month(a)
            main = there.get("main")
            main_of[month] = main_of.get(month, 0) + (main["body"]["wh"] if main else 0)
            subs = sorted((name, f) for name, f in there.items() if name != "main")
            own = sum(f["body"]["wh"] for _, f in subs)
            losses = main["body"]["wh"] - own if main else 0
            parts = largest_remainder(losses, [max(0, f["body"]["wh"]) for _, f in subs])
            for (name, fact), part in zip(subs, parts):
                wh = fact["body"]["wh"] + part
                mine = self.is_ours(fact["body"], tranche)
                entry = meters.setdefault(month, {}).setdefault(name, [mine, 0])
                entry[1] += wh
                if mine:
                    cost = self.energy_price(power, a, b) * Fraction(wh, 1_000_000)
                    estimate[month] = estimate.get(month, 0) + cost
        found = {month: rounded(cost * self.minor, self.rule) for month, cost in estimate.items()}
        if mode == "pass-through" and power.get("true_up", "on-utility-invoice") != "none":
            for month, part in self.billed(meters, main_of, readings).items():
                if month in found:
                    found[month] = part
        return found

    def energy_price(self, power, a, b):
        if power["mode"] != "index" and "estimate_per_mwh" in power:
            return Fraction(power["estimate_per_mwh"])
        prices = [f for f in self.of("energy_price") if f["body"]["index"] == power["index"]
                  and f["from"] < b and a < f["to"]]
        cuts = sorted({at for f in prices for at in (f["from"], f["to"]) if a < at < b} | {a, b})
        weighed = Fraction(0)
        for x, y in zip(cuts, cuts[1:]):
            held = max((f for f in prices if f["from"] <= x < f["to"]), key=lambda f: f["seq"])
            weighed += Fraction(held["body"]["per_mwh"]) * (y - x)
        adder = Fraction(power.get("adder", "0")) if power["mode"] == "index" else 0
        return weighed / (b - a) + adder

    def billed(self, meters, main_of, readings):
        latest = {}
        for fact in self.of("utility_bill"):
            latest[fact["body"]["number"]] = fact
        totals, spans = {}, {}
        for _, fact in sorted(latest.items()):
            months = range(self.cal.month(fact["from"]), self.cal.month(fact["to"] - 1) + 1)
            inside = {m: (max(fact["from"], self.cal.edges(m)[0]), min(fact["to"], self.cal.edges(m)[1])) for m in months}
            weights = [sum(max(0, there["main"]["body"]["wh"]) for (a, b), there in readings.items()
                           if "main" in there and inside[m][0] <= a and a < inside[m][1]) for m in months]
            if not any(weights):
                weights = [inside[m][1] - inside[m][0] for m in months]
            minor = rounded(Fraction(fact["body"]["amount"]) * self.minor)
            for m, part in zip(months, largest_remainder(minor, weights)):
                totals[m] = totals.get(m, 0) + part
                spans.setdefault(m, []).append((fact["from"], fact["to"]))
        found = {}
        for m, minor in totals.items():
            reach, end = self.cal.edges(m)
            for a, b in sorted(spans[m]):
                reach = max(reach, b) if a <= reach else reach
            if reach < end or m not in meters:
                continue
            names = sorted(meters[m])
            weights = [max(0, meters[m][name][1]) for name in names]
            weights.append(max(0, main_of[m] - sum(weights)))
            for name, part in zip(names, largest_remainder(minor, weights)):
                if meters[m][name][0]:
                    found[m] = found.get(m, 0) + part
        return found


def largest_remainder(total, weights):
    whole = sum(weights)
    if whole <= 0:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for place in order[:total - sum(parts)]:
        parts[place] += 1
    return parts


def month_of(text):
    year, month = text.split("-")
    return int(year) * 12 + int(month) - 1


def main(contract_path, folder):
    files = sorted(glob.glob(f"{contract_path}/*.toml")) or [contract_path]
    versions = sorted((tomllib.load(open(file, "rb")) for file in files), key=lambda v: v["effective"])
    contract = versions[0]
    facts = []
    for line in open(f"{folder}/facts.jsonl"):
        fact = json.loads(line)
        fact["from"], fact["known"] = instant(fact["valid_from"]), instant(fact["known_at"])
        fact["to"] = instant(fact["valid_to"]) if fact.get("valid_to") else None
        facts.append(fact)
    statements = [json.load(open(path)) for path in glob.glob(f"{folder}/*.json")]
    statements = sorted((s for s in statements if s["number"]), key=lambda s: s["period"])
    empty = Settlement(versions, [])
    minor = empty.minor
    cents = lambda text: int(Fraction(text) * minor)
    issued, carried, wrong = {}, 0, []
    seen = set()
    for statement in statements:
        period = month_of(statement["period"])
        known = [fact for fact in facts if fact["known"] <= statement["as_of"]]
        in_effect = [v for v in versions if v is contract
                     or empty.cal.midnight(v["effective"]) <= statement["as_of"]]
        settlement = Settlement(in_effect, known)
        settles = settlement.version(empty.cal.edges(period)[0])
        limit = settles["billing"]["restate_limit_months"]
        lines = {}
        for tranche in {terms["id"] for version in in_effect for terms in version["tranche"]}:
            disputed = {month_of(f["body"]["period"]) for f in settlement.of("dispute")
                        if settlement.is_ours(f["body"], tranche)}
            frozen = {m: {k: issued.get((tranche, m, k), 0) for k in KINDS}
                      for m in seen if period - m > limit and m not in disputed}
            for month, row in settlement.tranche(tranche, period, frozen).items():
                for kind, amount in row.items():
                    difference = amount - issued.get((tranche, month, kind), 0)
                    if difference:
                        lines[tranche, month, kind] = difference
        theirs = {(l["tranche"], month_of(l["service"]), l["kind"]): cents(l["amount"]) for l in statement["lines"]}
        for key in sorted(lines.keys() | theirs.keys()):
            if lines.get(key) != theirs.get(key):
                wrong.append(f"{statement['number']} {key}: {lines.get(key)} here, {theirs.get(key)} stated")
        taxes = 0
        for kind, percent in settles.get("tax", {}).items():
            base = sum(amount for (_, _, of), amount in lines.items() if of == kind)
            taxes += rounded(Fraction(percent) / 100 * base, empty.rule)
        total = sum(lines.values()) + taxes
        for name, amount in (("total", total), ("payable", max(0, total - carried)),
                             ("carried_out", max(0, carried - total))):
            if amount != cents(statement[name]):
                wrong.append(f"{statement['number']} {name}: {amount} here, {statement[name]} stated")
        carried = max(0, carried - total)
        seen.add(period)
        for key, amount in lines.items():
            issued[key] = issued.get(key, 0) + amount
        if wrong:
            break
    if wrong or not statements:
        sys.exit("\n".join(wrong) or "no statements")
    print(f"{len(statements)} statements agree, {len(facts)} facts")


main(*sys.argv[1:])
