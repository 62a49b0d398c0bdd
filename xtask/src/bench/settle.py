"""The full recomputation of a large contract, written for DuckDB.

Reads the facts and the contract's figures that `settle`'s example `speed` wrote,
computes capacity, availability credit and prepayment credited for every tranche and
month, and compares each with what the example computed, to the cent. Prints the time
on the processor for reading and for computing, with everything in memory and on one
thread, as the other side has it.

Usage: settle.py FOLDER
"""

import csv
import datetime as dt
import json
import resource
import sys
import time
from fractions import Fraction

import duckdb

FOLDER = sys.argv[1]
TERMS = json.load(open(f"{FOLDER}/terms.json"))

# One row for each unit a fact speaks of. An end that is not known lies far ahead.
READ = """
create table facts as
select seq, kind, epoch(valid_from::timestamptz)::bigint as start,
       coalesce(epoch(valid_to::timestamptz)::bigint, 1099511627776) as stop, body
from read_json('{folder}/facts.jsonl', format = 'newline_delimited', columns = {{
    seq: 'bigint', kind: 'varchar', valid_from: 'varchar', valid_to: 'varchar',
    body: 'json'}}, maximum_object_size = 67108864);
create table accepted as
select body->>'tranche' as tranche, start, u.unit as unit, u.gpus as gpus
from (select body, start,
             unnest(from_json(body->'units', '[{{"unit":"varchar","gpus":"bigint"}}]')) as u
      from facts where kind = 'acceptance');
create table said as
select seq, start, stop, body->>'state' as state,
       unnest(coalesce(from_json(body->'units', '["varchar"]'), [body->>'unit'])) as unit
from facts where kind = 'unit_state';
create table paid as
select split_part(body->>'for', ':', 2) as tranche, start,
       (body->>'amount')::decimal(18, 2) as amount
from facts where kind = 'payment';
"""

# At each instant the assertion with the highest seq holds. A unit about which one thing
# was said needs no resolving. Runs of down shorter than the least incident are forgiven,
# and what is left is cut at the months' edges.
COMPUTE = """
create table service as
select tranche, min(start) as first from accepted group by tranche;
create table down as
with several as (
    select unit from said group by unit having count(*) > 1
), spoken as (
    select s.* from said s semi join several using (unit)
), edges as (
    select distinct unit, edge from (
        select unit, start as edge from spoken union all select unit, stop from spoken)
), parts as (
    select unit, edge as start, lead(edge) over (partition by unit order by edge) as stop
    from edges
), held as (
    select p.unit, p.start, any_value(p.stop) as stop, arg_max(s.state, s.seq) as state
    from parts p join spoken s
      on s.unit = p.unit and s.start <= p.start and p.start < s.stop
    where p.stop is not null
    group by p.unit, p.start
    union all
    select unit, start, stop, state from said anti join several using (unit)
), lost as (
    select unit, start, stop,
           start is distinct from lag(stop) over (partition by unit order by start) as begins
    from held where state = 'down'
), runs as (
    select unit, start, stop,
           sum(begins::int) over (partition by unit order by start) as run
    from lost
)
select unit, min(start) as start, max(stop) as stop from runs group by unit, run
having max(stop) - min(start) >= {least};
create table lost_in as
select a.tranche, m.month,
       sum((least(d.stop, m.stop, a.ends) - greatest(d.start, m.start, a.start)) * a.gpus)
           as seconds
from down d
join (select a.*, t.ends from accepted a join terms t using (tranche)) a using (unit)
join months m on d.start < m.stop and m.start < d.stop
where least(d.stop, m.stop, a.ends) > greatest(d.start, m.start, a.start)
group by a.tranche, m.month;
create table owed as
select a.tranche, m.month, m.stop, a.reserved::hugeint as reserved,
       coalesce(l.seconds, 0)::hugeint as lost
from (select a.tranche, m.month,
             sum(greatest(0, least(m.stop, t.ends) - greatest(m.start, a.start)) * a.gpus)
                 as reserved
      from (select tranche, start, sum(gpus) as gpus from accepted group by all) a
      join terms t using (tranche) cross join months m
      group by a.tranche, m.month) a
join months m using (month)
left join lost_in l using (tranche, month)
order by a.tranche, m.month;
select o.tranche, o.month, o.stop, o.reserved,
       -- Half up: twice the exact cents and one more, over two.
       (2 * o.reserved * {cents} + 3600) // 7200 as capacity,
       coalesce((select max(credit) from tiers
                 where (o.reserved - o.lost) * 1000 < below * o.reserved), 0) as credit
from owed o order by o.tranche, o.month;
"""


def month_starts():
    first = dt.date.fromisoformat(TERMS["first_month"] + "-01")
    for place in range(TERMS["months"] + 1):
        year, month = divmod(first.year * 12 + first.month - 1 + place, 12)
        at = dt.datetime(year, month + 1, 1, tzinfo=dt.timezone.utc)
        yield f"{year}-{month + 1:02}", int(at.timestamp())


def half_up(amount):
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def tail(rows, payments):
    """Caps and instalments run forward month by month; 61 rows a tranche."""
    cap = Fraction(TERMS["year_cap"])
    for tranche in sorted({row[0] for row in rows}):
        plan = TERMS["instalments"][tranche]
        fees, credits, applied = [], [], 0
        for _, month, stop, reserved, capacity, credit in (r for r in rows if r[0] == tranche):
            fee = Fraction(int(reserved) * TERMS["cents"], 3600)
            full = half_up(fee * Fraction(credit, 1000))
            left = int(cap * (sum(fees[-11:]) + fee) // 1) - sum(credits[-11:])
            given = min(full, max(left, 0))
            fees.append(fee)
            credits.append(given)
            received = sum(cents for at, cents in payments[tranche] if at < stop)
            due = sum(cents for at, cents in plan if at < stop) - applied
            now = max(0, min(due, received - applied, int(capacity) - given))
            applied += now
            for kind, amount in ("capacity", int(capacity)), ("sla", -given), ("prepayment", -now):
                if amount:
                    yield tranche, month, kind, amount


def main():
    db = duckdb.connect(":memory:")
    db.execute("set threads = 1; set timezone = 'UTC'")
    begun = time.process_time()
    db.execute(READ.format(folder=FOLDER))
    read = time.process_time() - begun

    begun = time.process_time()
    edges = list(month_starts())
    db.execute("create table months (month varchar, start bigint, stop bigint)")
    spans = [(a[0], a[1], b[1]) for a, b in zip(edges, edges[1:])]
    db.executemany("insert into months values (?, ?, ?)", spans)
    db.execute("create table tiers (below bigint, credit bigint)")
    db.executemany("insert into tiers values (?, ?)", TERMS["tiers"])
    db.execute("create table terms (tranche varchar, ends bigint)")
    db.executemany("insert into terms values (?, ?)", list(TERMS["ends"].items()))
    rows = db.execute(
        COMPUTE.format(least=TERMS["min_incident_seconds"], cents=TERMS["cents"])
    ).fetchall()
    payments = {tranche: [] for tranche in TERMS["ends"]}
    for tranche, at, amount in db.execute("select * from paid").fetchall():
        payments[tranche].append((at, int(amount * 100)))
    found = {(t, m, k): amount for t, m, k, amount in tail(rows, payments)}
    compute = time.process_time() - begun

    with open(f"{FOLDER}/owed.csv", newline="") as file:
        ours = {(t, m, k): int(amount) for t, m, k, amount in csv.reader(file)}
    differ = [key for key in sorted(ours.keys() | found.keys()) if ours.get(key) != found.get(key)]
    for key in differ[:10]:
        print(f"{key}: {ours.get(key)} by settle, {found.get(key)} by DuckDB", file=sys.stderr)
    if differ or not ours:
        sys.exit(f"{len(differ)} of {len(ours)} amounts differ")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"read": read, "compute": compute, "memory_kb": memory}))


main()
