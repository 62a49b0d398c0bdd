"""Prepares a year of prices for the dispatch benchmark.

Usage: python year.py HISTORY HUB YEAR OUT

Writes into OUT the files that the reference problem reads, under the names it knows, so that every
program is handed the same year without a change to any script; and OUT/arrays.bin, the same arrays
for a program that is not Python: the number of intervals, a price each, and twelve worths each, as
little-endian 64-bit figures.

Looks for 15-minute settlement prices of the hub, then for 5-minute prices, whose mean is taken,
then for hourly ones, which are repeated. Repeated rows are dropped and gaps carry on the price
before; both are counted and said.
"""

import os
import pathlib
import shutil
import sys

import numpy as np
import pandas as pd

QUARTER = pd.Timedelta(minutes=15)
BITCOIN = "btc_daily_2015_2026.csv"
# The name under which the reference problem looks for its prices.
KNOWN_AS = "ercot_hb_houston_rt_15min_2025.csv"


def quarter_hours(history, hub, year):
    """Prices by interval start, and what they were made from."""
    exact = history / f"ercot_{hub.lower()}_rt_15min_{year}.csv"
    if exact.exists():
        table = pd.read_csv(exact)
        return by_start(table, table.columns[1]), exact.name
    parts = [pd.read_csv(path) for path in sorted(history.glob(f"*sced_lmp_5min_{year}*.csv"))]
    parts = [by_start(part, hub.upper()) for part in parts if hub.upper() in part.columns]
    if parts:
        return pd.concat(parts).resample(QUARTER).mean(), f"5-minute prices of {year}"
    for path in sorted(history.glob("*hourly_hubs*.csv")):
        table = pd.read_csv(path).dropna(subset=["delivery_date", "hour_ending"])
        column = f"{hub.lower()}_rtm"
        if column in table.columns:
            start = pd.to_datetime(table.delivery_date) + pd.to_timedelta(table.hour_ending.astype(int) - 1, "h")
            start = start.dt.tz_localize("America/Chicago", ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
            hourly = pd.Series(table[column].to_numpy(), pd.DatetimeIndex(start))
            hourly = hourly[hourly.index.notna() & (hourly.index.year == year)]
            if len(hourly):
                return pd.concat([hourly.set_axis(hourly.index + k * QUARTER) for k in range(4)]), f"{path.name}, hourly"
    sys.exit(f"error: expected prices of {hub} in {year} in {history}, found none")


def by_start(table, column):
    """A column by the start of its interval, UTC."""
    return pd.Series(table[column].to_numpy(float), pd.to_datetime(table["interval_start_utc"], utc=True))


def main():
    history, hub, year, out = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
    found, source = quarter_hours(history, hub, year)
    found = found[found.index.year == year].sort_index()
    once = found[~found.index.duplicated()].dropna()
    grid = pd.date_range(once.index[0], once.index[-1], freq=QUARTER)
    filled = once.reindex(grid).ffill()
    print(
        f"{hub} {year}: {len(filled)} intervals from {source}; {len(found) - len(once)} repeated or blank rows "
        f"dropped, {len(grid) - int(once.index.isin(grid).sum())} gaps carry on the price before"
    )
    out.mkdir(parents=True, exist_ok=True)
    rows = pd.DataFrame({"interval_start_utc": grid.strftime("%Y-%m-%dT%H:%MZ"), "rt_spp_usd_mwh": filled.to_numpy()})
    rows.to_csv(out / KNOWN_AS, index=False)
    shutil.copyfile(history / BITCOIN, out / BITCOIN)

    os.environ["DATA"] = str(out)
    import refproblem

    problem = refproblem.load()
    if not np.isfinite(problem.asic_value).all():
        sys.exit(f"error: expected what mining earned on every day of {year}, found none for some")
    with open(out / "arrays.bin", "wb") as file:
        file.write(np.array([problem.T], "<i8").tobytes())
        file.write(np.ascontiguousarray(problem.price, "<f8").tobytes())
        file.write(np.ascontiguousarray(problem.asic_value, "<f8").tobytes())


if __name__ == "__main__":
    main()
