//! Site files that are wrong: each says where, what and what to do, and none is a crash.

use std::path::Path;

use engine::site::{LoadKind, Rate, Site};
use mw::config;
use units::{Power, Pue, Seconds, Share, Temperature};

use super::devices::with_devices;
use super::{RIGHT, edited, example, read};

#[test]
fn all_that_is_wrong_is_found_in_one_reading() {
    let text = RIGHT
        .replace("import_limit_mw = 5", "import_limit = 5")
        .replace("model = \"Antminer S21\"", "model = \"Antminer S12\"")
        .replace("fee_percent = 2", "fee_percent = \"2 %\"")
        .replace("until = 2024-03-02", "until = 2024-02-28");
    assert_eq!(read(&text).unwrap_err().lines().count(), 4);
}

/// Every way to be wrong: what is replaced, by what, and all that is said of it.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "name = \"test\"",
        "name = test",
        "site.toml:2:8: expected TOML, found invalid boolean, expected `true`",
    ),
    (
        "name = \"test\"",
        "name = \"test\"\nname = \"again\"",
        "site.toml:3:1: expected TOML, found duplicate key",
    ),
    (
        "[market]",
        "[market",
        "site.toml:4:8: expected TOML, found unclosed table, expected `]`",
    ),
    (
        "format = 1\n",
        "",
        "site.toml:1:1: format: expected a whole number from 0 to 1000000, found nothing; write `format = ..`",
    ),
    (
        "format = 1",
        "format = 2",
        "site.toml:1:1: format: expected 1, found 2; this program reads no other version",
    ),
    (
        "name = \"test\"",
        "name = \" \"",
        "site.toml:2:1: name: expected text on one line, at most 500 characters, found nothing but space",
    ),
    (
        "name = \"test\"\n",
        "name = \"test\"\nloads = 1\n",
        "site.toml:3:1: loads: expected a key of a site file, found the unknown key `loads`; the keys here are `format`, `name`, `description`, `market`, `interconnection`, `feeders`, `halls`, `tariff`, `pool`, `policy`, `rig_models`, `rack_models`, `rigs`, `racks`, `batteries`, `programmes`, `lock_outs`, `holds`, `contacts`, `network`",
    ),
    (
        "[interconnection]",
        "[interconection]",
        "site.toml:8:2: interconection: expected a key of a site file, found the unknown key `interconection`; did you mean `interconnection`?",
    ),
    (
        "[[lock_outs]]",
        "[[programmes]]\nname = \"reserve\"\nloads = [\"rig\"]\n\n[[lock_outs]]",
        "site.toml:107:1: programmes[0].loads: expected names of loads, found \"rig\"; did you mean \"rigs\"?",
    ),
    (
        "[[lock_outs]]",
        "[[programmes]]\nname = \"a\"\n\n[[programmes]]\nname = \"a\"\n\n[[lock_outs]]",
        "site.toml:109:1: programmes[1].name: expected a name that no other programme has, found \"a\"",
    ),
    (
        "[[lock_outs]]",
        "[[programmes]]\nname = \"a\"\nfail_safe_limit_mw = 6\n\n[[lock_outs]]",
        "site.toml:107:1: programmes[0].fail_safe_limit_mw: expected at most the import limit of 5.000 MW, found 6.000 MW",
    ),
    (
        "[pool]",
        "[policy]\nlease_seconds = 59\n\n[pool]",
        "site.toml:58:1: policy.lease_seconds: expected at least 60, found 59",
    ),
    (
        "[pool]",
        "[policy]\nlook_ahead_hours = 73\n\n[pool]",
        "site.toml:58:1: policy.look_ahead_hours: expected at most 72, found 73",
    ),
    (
        "[pool]",
        "[policy]\nforecast = \"quantile\"\nforecast_quantile_days = 61\n\n[pool]",
        "site.toml:59:1: policy.forecast_quantile_days: expected at most 60, found 61",
    ),
    (
        "ramp_down_mw_per_minute = 1",
        "ramp_down_mw_per_minute = 0.05",
        "site.toml:11:1: interconnection.ramp_down_mw_per_minute: expected at least 0.086 MW, what one machine of \"tenant\" moves at once, found 0.05; with less it could never move",
    ),
    (
        "import_limit_mw = 5",
        "import_limit = 5",
        "site.toml:9:1: interconnection.import_limit: expected a key of `interconnection`, found the unknown key `import_limit`; the unit is missing: write `import_limit_mw`",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_kw = 5000",
        "site.toml:9:1: interconnection.import_limit_kw: expected a key of `interconnection`, found the unknown key `import_limit_kw`; it is counted in another unit: write `import_limit_mw`",
    ),
    (
        "import_limit_mw = 5",
        "import_limt_mw = 5",
        "site.toml:9:1: interconnection.import_limt_mw: expected a key of `interconnection`, found the unknown key `import_limt_mw`; did you mean `import_limit_mw`?",
    ),
    (
        "import_limit_mw = 5\n",
        "",
        "site.toml:8:2: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found nothing; write `import_limit_mw = ..`",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = \"5 MW\"",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found the text \"5 MW\"; write the number alone: the unit is part of the key",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = \"5\"",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found the text \"5\"; write it without quotes",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = true",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found true",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = inf",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found inf",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = nan",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found nan",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = 0x5",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found the number 0x5; write it in decimal",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = 5.0000001",
        "site.toml:9:1: interconnection.import_limit_mw: expected at most 6 digits after the point, found 5.0000001",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = 5e9",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found 5e9",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = -5",
        "site.toml:9:1: interconnection.import_limit_mw: expected a number of MW above 0 and at most 100000, found -5",
    ),
    (
        "export_limit_mw = 1",
        "export_limit_mw = -1",
        "site.toml:10:1: interconnection.export_limit_mw: expected a number of MW from 0 to 100000, found -1",
    ),
    (
        "ramp_down_mw_per_minute = 1",
        "ramp_down_mw_per_minute = 0",
        "site.toml:11:1: interconnection.ramp_down_mw_per_minute: expected a number of MW above 0 and at most 100000, found 0",
    ),
    (
        "ramp_emergency_mw_per_minute = 5",
        "ramp_emergency_mw_per_minute = 0.5",
        "site.toml:12:1: interconnection.ramp_emergency_mw_per_minute: expected at least `ramp_down_mw_per_minute`, 1, found 0.5; an emergency is no slower than a day without one",
    ),
    (
        "ramp_down_mw_per_minute = 1\n",
        "",
        "site.toml:11:1: interconnection.ramp_emergency_mw_per_minute: expected it beside `ramp_down_mw_per_minute`, found 5; an emergency is no slower than a day without one",
    ),
    (
        "\"ERCOT\"",
        "\"IESO\"",
        "site.toml:5:1: market.name: expected ERCOT, SYNTH, NEM, AESO, CAISO, PJM, MISO, NYISO, ISONE, SPP, found \"IESO\"; did you mean \"AESO\"? for another market, write its `time_zone` as well",
    ),
    (
        "\"ERCOT\"",
        "\"ercot\"",
        "site.toml:5:1: market.name: expected ERCOT, SYNTH, NEM, AESO, CAISO, PJM, MISO, NYISO, ISONE, SPP, found \"ercot\"; did you mean \"ERCOT\"? for another market, write its `time_zone` as well",
    ),
    (
        "\"ERCOT\"",
        "\"IESO\"\ntime_zone = \"New York\"",
        "site.toml:6:1: market.time_zone: expected a time zone by its IANA name, such as America/Chicago, found \"New York\"",
    ),
    (
        "\"ERCOT\"",
        "\"ERCOT\"\ntime_zone = \"UTC\"",
        "site.toml:6:1: market.time_zone: expected \"America/Chicago\", found \"UTC\"; leave it out: ERCOT keeps its own time",
    ),
    (
        "name = \"b\"\nparent = \"a\"",
        "name = \"b\"\nparent = \"c\"",
        "site.toml:20:1: feeders[1].parent: expected the name of a feeder, found \"c\"; there are \"a\", \"b\"",
    ),
    (
        "limit_mw = 4\n\n[[feeders]]",
        "limit_mw = 4\nparent = \"b\"\n\n[[feeders]]",
        "site.toml:17:1: feeders[0].parent: expected feeders that lead to the interconnection, found a loop: a -> b -> a; leave `parent` out of the feeder nearest the interconnection",
    ),
    (
        "name = \"b\"\nparent = \"a\"",
        "name = \"b\"\nparent = \"b\"",
        "site.toml:20:1: feeders[1].parent: expected feeders that lead to the interconnection, found a loop: b -> b; leave `parent` out of the feeder nearest the interconnection",
    ),
    (
        "name = \"b\"",
        "name = \"a\"",
        "site.toml:19:1: feeders[1].name: expected a new name for a feeder, found \"a\" a second time\nsite.toml:25:1: halls[0].feeder: expected the name of a feeder, found \"b\"; there are \"a\"",
    ),
    (
        "import_limit_mw = 5",
        "import_limit_mw = 1.6",
        "site.toml:9:1: interconnection.import_limit_mw: expected at least 1.67315 MW, which the loads behind it draw whatever is decided (tenant 1.65 MW, spot 0.01875 MW, rigs 0.0044 MW), found 1.600 MW; raise the limit or put fewer machines behind it; counted are rigs and uncommitted racks at rest and contracted racks and those with a `first_rack` at full power, at the worst PUE",
    ),
    (
        "name = \"b\"\nparent = \"a\"\nlimit_mw = 4",
        "name = \"b\"\nparent = \"a\"\nlimit_mw = 0.001",
        "site.toml:21:1: feeders[1].limit_mw: expected at least 0.0044 MW, which the loads behind it draw whatever is decided (rigs 0.0044 MW), found 0.001 MW; raise the limit or put fewer machines behind it; counted are rigs and uncommitted racks at rest and contracted racks and those with a `first_rack` at full power, at the worst PUE\nsite.toml:114:1: holds[0].power_mw: expected at most 0.001 MW, the limit of b, found 0.2 MW",
    ),
    (
        "feeder = \"b\"",
        "feeder = \"substation\"",
        "site.toml:25:1: halls[0].feeder: expected the name of a feeder, found \"substation\"; there are \"a\", \"b\"",
    ),
    (
        "pue = 1.10",
        "pue = 0.9",
        "site.toml:26:1: halls[0].pue: expected a ratio from 1 to 10, found 0.9",
    ),
    (
        "pue = 1.10\n",
        "",
        "site.toml:23:1: halls[0]: expected `pue` or `pue_by_temperature`, found neither; write one of them",
    ),
    (
        "pue = 1.10",
        "pue = 1.10\npue_by_temperature = []",
        "site.toml:23:1: halls[0]: expected `pue` or `pue_by_temperature`, found both; write one of them",
    ),
    (
        "pue = 1.10",
        "pue = 1.10\npue_where_temperature_missing = 1.2",
        "site.toml:27:1: halls[0].pue_where_temperature_missing: expected it beside `pue_by_temperature` only, found it beside `pue`; leave it out: `pue` holds in all weather",
    ),
    (
        "temperature_c = 30",
        "temperature_c = -30",
        "site.toml:33:7: halls[1].pue_by_temperature[1].temperature_c: expected more than 0, found -30; list the points in rising temperature",
    ),
    (
        "pue_where_temperature_missing = 1.25",
        "pue_where_temperature_missing = 1.2",
        "site.toml:35:1: halls[1].pue_where_temperature_missing: expected at least 1.250, the highest of the table, found 1.2; a limit must hold whatever the weather is",
    ),
    (
        "pue_where_temperature_missing = 1.25\n",
        "",
        "site.toml:31:1: halls[1].pue_where_temperature_missing: expected what holds while the temperature is not known, found nothing; write `pue_where_temperature_missing = 1.250` or more",
    ),
    (
        "price_usd_per_mwh = 3.5",
        "price_usd_per_mwh = 3.5\nfrom = 2025-01-01\nuntil = 2025-01-01",
        "site.toml:41:1: tariff.adders[0].until: expected a time after `from`, 2025-01-01, found 2025-01-01; `until` is the first instant after: for one day, write the next day",
    ),
    (
        "price_usd_per_mwh = 3.5",
        "price_usd_per_mwh = 3.5\n[[tariff.adders]]\nname = \"delivery\"\nprice_usd_per_mwh = 4\nfrom = 2024-01-01",
        "site.toml:41:1: tariff.adders[1].name: expected entries of the name \"delivery\" that do not overlap, found 2024-01-01T06:00Z to 2100-01-01T06:00Z beside 1990-01-01T06:00Z to 2100-01-01T06:00Z; end the one where the other begins, or give it another name",
    ),
    (
        "from = 2024-01-01\nuntil = 2025-01-01",
        "from = 2024-01-01\nuntil = 2023-01-01",
        "site.toml:46:1: tariff.fixed_price_blocks[0].until: expected a time after `from`, 2024-01-01, found 2023-01-01; `until` is the first instant after: for one day, write the next day",
    ),
    (
        "from = 2024-01-01",
        "from = 2024-01-01T00:00:00",
        "site.toml:45:1: tariff.fixed_price_blocks[0].from: expected a date (2025-01-31) or an instant with its offset (2025-01-31T14:00:00-06:00), found 2024-01-01T00:00:00; write its offset from UTC: `Z`, or such as `-06:00`",
    ),
    (
        "from = 2024-01-01",
        "from = \"2024-01-01\"",
        "site.toml:45:1: tariff.fixed_price_blocks[0].from: expected a date (2025-01-31) or an instant with its offset (2025-01-31T14:00:00-06:00), found the text \"2024-01-01\"; write it without quotes",
    ),
    (
        "from = 2024-01-01",
        "from = 1024-01-01",
        "site.toml:45:1: tariff.fixed_price_blocks[0].from: expected a date (2025-01-31) or an instant with its offset (2025-01-31T14:00:00-06:00), found 1024-01-01; a site file speaks of the years 1990 to 2100",
    ),
    (
        "from = 2024-01-01",
        "from = 2024-02-30",
        "site.toml:45:8: expected TOML, found invalid date, expected day between 01 and 29",
    ),
    (
        "months = [6, 7, 8, 9]",
        "months = [6, 13]",
        "site.toml:50:1: tariff.coincident_peaks[0].months: expected a list of months, 1 to 12, each once, found a month 13",
    ),
    (
        "months = [6, 7, 8, 9]",
        "months = [6, 6]",
        "site.toml:50:1: tariff.coincident_peaks[0].months: expected a list of months, 1 to 12, each once, found 6 twice",
    ),
    (
        "months = [6, 7, 8, 9]",
        "months = []",
        "site.toml:50:1: tariff.coincident_peaks[0].months: expected a list of months, 1 to 12, each once, found an empty list",
    ),
    (
        "peaks_per_month = 1",
        "peaks_per_month = 0",
        "site.toml:51:1: tariff.coincident_peaks[0].peaks_per_month: expected a whole number above 0 and at most 1000000, found 0",
    ),
    (
        "interval_minutes = 15",
        "interval_minutes = 20",
        "site.toml:52:1: tariff.coincident_peaks[0].interval_minutes: expected 5, 15, 30 or 60, found 20",
    ),
    (
        "charge_usd_per_kw_month = 6\nfrom = 2024-01-01",
        "charge_usd_per_kw_month = 6\nfrom = 2024-01-15",
        "site.toml:54:1: tariff.coincident_peaks[0].from: expected the first instant of a month of the market, found 2024-01-15; a month's peak is known when the whole month is: write its first day",
    ),
    (
        "fee_percent = 2",
        "fee_percent = 101",
        "site.toml:58:1: pool.fee_percent: expected a number of percent from 0 to 100, found 101",
    ),
    (
        "[pool]\nfee_percent = 2\n",
        "",
        "site.toml:58:1: pool: expected a pool, since the site mines, found nothing; write `[pool]` with `fee_percent`",
    ),
    (
        "model = \"Antminer S21\"",
        "model = \"Antminer S12\"",
        "site.toml:62:1: rigs[0].model: expected a model of the machine table or the site's own, found \"Antminer S12\"; did you mean \"Antminer S21\"?",
    ),
    (
        "model = \"Antminer S21\"",
        "model = \"Cray-1\"",
        "site.toml:62:1: rigs[0].model: expected a model of the machine table or the site's own, found \"Cray-1\"; add it as `[[rig_models]]` with its source",
    ),
    (
        "count = 100",
        "count = 0",
        "site.toml:63:1: rigs[0].count: expected a whole number above 0 and at most 1000000, found 0",
    ),
    (
        "count = 100",
        "count = -1",
        "site.toml:63:1: rigs[0].count: expected a whole number above 0 and at most 1000000, found -1",
    ),
    (
        "count = 100",
        "count = 1.5",
        "site.toml:63:1: rigs[0].count: expected a whole number above 0 and at most 1000000, found 1.5",
    ),
    (
        "hall = \"shed\"",
        "hall = \"sched\"",
        "site.toml:64:1: rigs[0].hall: expected the name of a hall, found \"sched\"; did you mean \"shed\"?",
    ),
    (
        "{ power_w = 2500, hashrate_ths = 160 }",
        "{ power_w = 3500, hashrate_ths = 160 }",
        "site.toml:67:5: rigs[0].tuning[1]: expected more power and a higher rate than the point before, found 3500; list the points in rising power",
    ),
    (
        "{ power_w = 2500, hashrate_ths = 160 }",
        "{ power_w = 2500, hashrate_ths = 100 }",
        "site.toml:67:5: rigs[0].tuning[1]: expected a point whose further watts give no more than the watts before them, found one where they give more; leave out the point before it: half the machines at this point and half at the one below do better",
    ),
    (
        "standby_w = 40",
        "standby_w = 2500",
        "site.toml:66:5: rigs[0].tuning[0]: expected more power than the 2500 W drawn at rest, found 2500; list the points in rising power",
    ),
    (
        "tuning = [\n    { power_w = 2500, hashrate_ths = 160 },\n    { power_w = 3500, hashrate_ths = 200 },\n]",
        "tuning = []",
        "site.toml:65:1: rigs[0].tuning: expected 1 to 64 points, found 0; leave the key out to run at the model's own",
    ),
    (
        "name = \"tenant\"",
        "name = \"rigs\"",
        "site.toml:74:1: racks[0].name: expected a new name for a load, found \"rigs\" a second time",
    ),
    (
        "restart_minutes = 10\n",
        "",
        "site.toml:60:1: rigs[0].restart_minutes: expected a number of minutes from 0 to 525600, found nothing; write `restart_minutes = ..`",
    ),
    (
        "contracted = { price_usd_per_gpu_hour = 3, worth_usd_per_mwh = 1107 }",
        "contracted = { price_usd_per_gpu_hour = 3, worth_usd_per_mwh = -1 }",
        "site.toml:78:44: racks[0].contracted.worth_usd_per_mwh: expected a number of USD/MWh from 0 to 1000000, found -1",
    ),
    (
        "contracted = { price_usd_per_gpu_hour = 3, worth_usd_per_mwh = 1107 }\n",
        "",
        "site.toml:73:1: racks[0]: expected `contracted` or `uncommitted`, found neither; write one of them",
    ),
    (
        "uncommitted = { price_usd_per_gpu_hour = 2 }\n",
        "first_rack = \"north\"\nbeside_gpus_kw = 10.1\nuncommitted = { price_usd_per_gpu_hour = 2, notice_minutes = -1 }\n",
        "site.toml:85:1: racks[1].first_rack: expected a name that ends in a number, such as `R0001`, found \"north\"\nsite.toml:86:1: racks[1].beside_gpus_kw: expected no more than one draws at full power, found 10.1\nsite.toml:87:45: racks[1].uncommitted.notice_minutes: expected a number of minutes from 0 to 525600, found -1",
    ),
    (
        "uncommitted = {",
        "contracted = { price_usd_per_gpu_hour = 3, worth_usd_per_mwh = 1107 }\nuncommitted = {",
        "site.toml:80:1: racks[1]: expected `contracted` or `uncommitted`, found both; write one of them",
    ),
    (
        "throughput_percent = 100",
        "throughput_percent = 99",
        "site.toml:88:22: racks[1].power_curve[1].throughput_percent: expected 100 at the last point, found 99; throughput is a part of that at full power: the last point is full power",
    ),
    (
        "throughput_percent = 90",
        "throughput_percent = 60",
        "site.toml:88:5: racks[1].power_curve[1]: expected a point whose further watts give no more than the watts before them, found one where they give more; leave out the point before it: half the machines at this point and half at the one below do better",
    ),
    (
        "[[rigs]]",
        "[[rack_models]]\nname = \"bare\"\nmaker = \"nobody\"\ngpus_per_rack = 0\npower_kw = 10\nstandby_kw = 1\ncooling = \"air\"\ncertainty = \"measured\"\nsource = \"here\"\ndate = 2026-01-01\n\n[[rigs]]",
        "site.toml:63:1: rack_models[0].gpus_per_rack: expected a whole number above 0 and at most 1000000, found 0",
    ),
    (
        "[[rigs]]",
        "[[rig_models]]\nname = \"own\"\nmaker = \"us\"\nhashrate_ths = 100\npower_w = 2000\nstandby_w = 3000\ncooling = \"oil\"\ncertainty = \"measured\"\nsource = \"here\"\ndate = 2026-01-01\n\n[[rigs]]",
        "site.toml:60:1: rig_models[0]: expected more power than the 3000 W drawn at rest, found 2000 W; list the points in rising power\nsite.toml:66:1: rig_models[0].cooling: expected \"air\" or \"hydro\" or \"immersion\", found the text \"oil\"",
    ),
    (
        "charge_efficiency_percent = 95",
        "charge_efficiency_percent = 0",
        "site.toml:100:1: batteries[0].charge_efficiency_percent: expected a number of percent above 0 and at most 100, found 0",
    ),
    (
        "discharge_efficiency_percent = 95",
        "discharge_efficiency_percent = 101",
        "site.toml:101:1: batteries[0].discharge_efficiency_percent: expected a number of percent above 0 and at most 100, found 101",
    ),
    (
        "stored_first_percent = 50",
        "stored_first_percent = 95",
        "site.toml:99:1: batteries[0].stored_first_percent: expected a number from 10 to 90, what it may hold, found 95",
    ),
    (
        "stored_min_percent = 10",
        "stored_min_percent = 90",
        "site.toml:97:1: batteries[0].stored_min_percent: expected less than `stored_max_percent`, 90, found 90",
    ),
    (
        "discharge_above_usd_per_mwh = 100",
        "discharge_above_usd_per_mwh = 20",
        "site.toml:103:1: batteries[0].discharge_above_usd_per_mwh: expected more than `charge_below_usd_per_mwh`, 20, found 20; a battery cannot charge and discharge at one price",
    ),
    (
        "feeder = \"a\"\ncharge_mw",
        "feeder = \"z\"\ncharge_mw",
        "site.toml:93:1: batteries[0].feeder: expected the name of a feeder, found \"z\"; there are \"a\", \"b\"",
    ),
    (
        "load = \"rigs\"",
        "load = \"rig\"",
        "site.toml:106:1: lock_outs[0].load: expected the name of a load, found \"rig\"; did you mean \"rigs\"?",
    ),
    (
        "until = 2024-03-02",
        "until = 2024-03-01",
        "site.toml:108:1: lock_outs[0].until: expected a time after `from`, 2024-03-01, found 2024-03-01; `until` is the first instant after: for one day, write the next day",
    ),
    (
        "power_mw = 0.2",
        "power_mw = 0.4",
        "site.toml:114:1: holds[0].power_mw: expected from 0 MW to 0.385 MW, what \"rigs\" can draw, found 0.4 MW",
    ),
    (
        "power_mw = 0.2",
        "power_mw = -0.2",
        "site.toml:114:1: holds[0].power_mw: expected from 0 MW to 0.385 MW, what \"rigs\" can draw, found -0.2 MW",
    ),
    (
        "load = \"rigs\"\npower_mw = 0.2",
        "load = \"battery\"\npower_mw = -2",
        "site.toml:114:1: holds[0].power_mw: expected from -1 MW to 1 MW, what \"battery\" can draw, found -2 MW",
    ),
    (
        "limit_mw = 4\n\n[[halls]]",
        "limit_mw = 0.1\n\n[[halls]]",
        "site.toml:114:1: holds[0].power_mw: expected at most 0.1 MW, the limit of b, found 0.2 MW",
    ),
    (
        "reason = \"trial\"\n",
        "reason = \"trial\"\n\n[[holds]]\nload = \"rigs\"\npower_mw = 0.1\nfrom = 2024-04-01T12:00:00Z\nuntil = 2024-04-05\nreason = \"again\"\n",
        "site.toml:122:1: holds[1]: expected one hold of \"rigs\" at a time, found 2024-04-01T12:00Z to 2024-04-05T05:00Z beside 2024-04-01T05:00Z to 2024-04-02T05:00Z; end the one where the other begins",
    ),
];

#[test]
fn every_error_names_line_and_key_and_what_to_do() {
    let mut wrong = String::new();
    for (from, to, expected) in WRONG {
        let said = match read(&edited(from, to)) {
            Ok(_) => "nothing is wrong".to_owned(),
            Err(said) => said,
        };
        if said != *expected {
            wrong += &format!("@@@{from:?}\n===>{to:?}\n{said}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_cannot_be_read_as_a_file_says_so() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("site_file");
    std::fs::create_dir_all(folder.join("empty")).expect("a folder");
    std::fs::create_dir_all(folder.join("odd/site.toml")).expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).expect("a file");
    };
    write("latin.toml", b"format = 1\nname = \"Z\xfcrich\"\n");
    write("large.toml", &vec![b'#'; (4 << 20) + 1]);
    let cases = [
        (
            "gone",
            "expected a site file, or a folder with a `site.toml`, found nothing there; check the path",
        ),
        (
            "empty",
            "expected a site file, or a folder with a `site.toml`, found a folder without one; check the path",
        ),
        (
            "odd",
            "expected a site file, or a folder with a `site.toml`, found something that is not a file; check the path",
        ),
        (
            "latin.toml",
            "expected text in UTF-8, found bytes that are not, on line 2; save the file as UTF-8",
        ),
        (
            "large.toml",
            "expected a site file of at most 4 MiB, found a larger file; check the path",
        ),
    ];
    for (name, expected) in cases {
        let errors = config::load(&folder.join(name)).expect_err(name);
        let path = errors.path().display();
        assert_eq!(errors.to_string(), format!("{path}: {expected}"));
    }
}

#[test]
fn a_file_of_rubbish_is_refused_in_a_few_lines() {
    let many = |line: &dyn Fn(usize) -> String| (0..20_000).map(line).collect::<String>();
    let rubbish = [
        many(&|ix| format!("key{ix} = {ix}\n")),
        many(&|ix| format!("[[feeders]]\nname = \"{ix}\"\nparent = \"{}\"\n", ix + 1)),
        many(&|_| "]\n".to_owned()),
        format!("x = {}", "[".repeat(100_000)),
        "\u{0}\u{feff}".to_owned(),
        String::new(),
    ];
    for text in rubbish {
        let said = read(&text).expect_err("rubbish");
        assert!(said.lines().count() <= 51 && said.len() < 100_000, "{said}");
    }
}

#[test]
fn the_way_a_file_is_saved_changes_nothing() {
    let site = read(RIGHT).expect("right").site;
    let saved = format!("\u{feff}{}", RIGHT.replace('\n', "\r\n"));
    assert_eq!(read(&saved).expect("right").site, site);
    let wrong =
        format!("\u{feff}{}", edited("count = 100", "count = 0").replace('\n', "\r\n"));
    assert!(read(&wrong).unwrap_err().starts_with("site.toml:63:1: rigs[0].count"));
}

/// What the documentation of a site states, checked apart from what makes one.
fn assert_sound(site: &Site, why: &str) {
    for (ix, feeder) in site.feeders.iter().enumerate() {
        assert!(feeder.parent.is_none_or(|parent| parent < ix), "{why}: parents first");
        assert!(feeder.limit > Power::ZERO, "{why}: a limit is above nothing");
    }
    let mut worst = vec![Power::ZERO; site.feeders.len()];
    let mut all = Power::ZERO;
    for (ix, load) in site.loads.iter().enumerate() {
        let pues = [None, Some(-60_000), Some(20_000), Some(60_000)];
        let pue = pues
            .map(|outside| site.pue_of(ix, outside.map(Temperature::from_millidegrees)))
            .into_iter()
            .max()
            .expect("four");
        assert!(pue >= Pue::ONE, "{why}");
        if let Some(machines) = load.machines() {
            assert!(machines.count > 0 && !machines.points.is_empty(), "{why}");
            let amount = |rate| match rate {
                Rate::Hash(rate) => i128::from(rate.as_ghs()),
                Rate::Throughput(share) => i128::from(share.as_ppm()),
            };
            let mut below = (i128::from(machines.standby.as_watts()), 0);
            let mut slope = None;
            for point in &machines.points {
                let here = (i128::from(point.power.as_watts()), amount(point.rate));
                let step = (here.0 - below.0, here.1 - below.1);
                assert!(step.0 > 0 && step.1 > 0, "{why}: curves rise");
                let steeper = slope.is_some_and(|(p, r)| step.1 * p > r * step.0);
                assert!(!steeper, "{why}: each further watt gives no more");
                (below, slope) = (here, Some(step));
            }
            let plug = if load.is_firm() { machines.ceiling() } else { machines.floor() };
            let floor = pue.at_meter(plug);
            all += floor;
            for feeder in site.path(load.feeder) {
                worst[feeder] += floor;
            }
        }
        if let LoadKind::Battery(battery) = &load.kind {
            assert!(battery.stored_min <= battery.stored_first, "{why}");
            assert!(battery.stored_first <= battery.stored_max, "{why}");
            assert!(battery.charge_below < battery.discharge_above, "{why}");
            for share in [battery.charge_efficiency, battery.discharge_efficiency] {
                assert!(Share::ZERO < share && share <= Share::WHOLE, "{why}");
            }
        }
    }
    assert!(all <= site.interconnection.import_limit, "{why}: the import limit holds");
    for (feeder, floor) in site.feeders.iter().zip(worst) {
        assert!(floor <= feeder.limit, "{why}: the limit of {} holds", feeder.name);
    }
    for (ix, hold) in site.holds.iter().enumerate() {
        assert!(hold.during.start < hold.during.end, "{why}");
        let alone = |other: &engine::site::Hold| {
            other.load != hold.load || !other.during.overlaps(hold.during)
        };
        assert!(site.holds[..ix].iter().all(alone), "{why}: one hold at a time");
    }
    assert!(Share::ZERO <= site.pool_fee && site.pool_fee <= Share::WHOLE, "{why}");
    assert!(site.policy.restart_spread > Seconds::ZERO, "{why}");
}

#[test]
fn a_slip_anywhere_is_an_error_or_a_sound_site_and_never_a_crash() {
    let texts = [RIGHT.to_owned(), with_devices(), example("mixed-10mw").text];
    let (mut right, mut wrong) = (0, 0);
    let mut check = |text: String, why: String| match read(&text) {
        Ok(loaded) => {
            assert_sound(&loaded.site, &why);
            right += 1;
        }
        Err(said) => {
            assert!(said.starts_with("site.toml:"), "{why}: {said}");
            wrong += 1;
        }
    };
    for text in &texts {
        let lines: Vec<_> = text.lines().collect();
        let with = |ix: usize, line: &[&str]| {
            let mut lines = lines.clone();
            lines.splice(ix..=ix, line.iter().copied());
            lines.join("\n")
        };
        for (ix, line) in lines.iter().enumerate() {
            check(with(ix, &[]), format!("without line {}", ix + 1));
            check(with(ix, &[line, line]), format!("line {} twice", ix + 1));
            let Some((key, _)) = line.split_once(" = ") else {
                continue;
            };
            for value in [
                "0",
                "-1",
                "9223372036854775807",
                "-1e300",
                "nan",
                "\"rigs\"",
                "[]",
                "{}",
                "2024-03-05",
                "0001-01-01",
            ] {
                let line = format!("{key} = {value}");
                check(with(ix, &[&line]), format!("line {}: {line}", ix + 1));
            }
        }
    }
    assert!(right > 100 && wrong > 1_000, "{right} right, {wrong} wrong");
}
