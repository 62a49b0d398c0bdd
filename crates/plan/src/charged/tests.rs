//! Power that tenants pay for, held against hours read one by one.

use settle::contract::{Contract, Versions};
use settle::exact::Amount;
use settle::facts::Facts;
use settle::settlement::{Settlement, cut};
use settle::statement::LineKind;
use sim::scenario::level::Level;
use sim::scenario::power::Regime;
use sim::scenario::reversion::Reversion;
use units::{Money, Seconds};

use crate::tests::{plan, usd};
use crate::{Escalator, Line, Outcome, Place, Plan};

/// The small plan's contract with other terms of power, and a price for its tranche.
fn contract(power: &str, index: &str) -> Contract {
    let text = format!(
        "schema = \"capacity-contract/1\"\nid = \"CAP\"\nsupplier = \"us\"\n\
         customer = \"them\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\
         effective = 2026-01-01\n\
         [billing]\ngrace_days = 5\ndue_days = 30\nrestate_limit_months = 24\n\
         [power]\n{power}\n\
         [[tranche]]\nid = \"H1\"\ngpus = 720\n\
         price = {{ unit = \"gpu-hour\", amount = \"2.00\"{index} }}\n\
         delivery = 2026-04-01\nmonths = 24\n"
    );
    Contract::read(&text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The small plan under those terms, in markets that move, with nothing borrowed.
fn charged(power: &str) -> Plan {
    let mut plan = plan();
    plan.deals[0].contract = contract(power, "");
    plan.loans.clear();
    plan.covenant = None;
    let model = &mut plan.futures.power;
    model.level = Level::about_one(Reversion::of(0.5, 0.3));
    model.deviation = Reversion::of(0.001, 0.3);
    model.spike = Regime { begins_per_hour: 0.01, ends_per_hour: 0.3 };
    plan
}

const BILLED: &str = "mode = \"pass-through\"\ntrue_up = \"on-utility-invoice\"";

fn line(outcome: &Outcome, line: Line) -> Money {
    outcome.months.iter().map(|month| month.of(line)).sum()
}

#[test]
fn what_is_passed_through_is_paid_as_it_cost_and_beside_the_fee() {
    let mut plan = charged(BILLED);
    plan.futures = crate::tests::still();
    assert_eq!(plan.doubts(), []);
    let outcome = plan.path(7, 0);
    // April: 1.56 MW for 720 hours at 35 and 5 for delivery, beside 720 GPUs at 2.00; the
    // rigs are gone, so the bill is the racks' alone. It is paid in June.
    assert_eq!(outcome.months[3].of(Line::PowerRacks), -usd(44_928));
    assert_eq!(outcome.months[5].of(Line::Contract), usd(1_036_800 + 44_928));
    // Power moves no price of capacity.
    let mut included = plan.clone();
    included.deals[0].contract = contract("mode = \"included\"", "");
    let apart = included.path(7, 0);
    assert_eq!(outcome.contract_value, apart.contract_value);
    let used = outcome.uses[1];
    assert_eq!(used.earned - apart.uses[1].earned, used.power);
    assert_eq!(outcome.sites[0].uses[1], used);
}

#[test]
fn who_passes_power_through_does_not_mind_its_price() {
    let dearer = |plan: &Plan| {
        let mut plan = plan.clone();
        for price in plan.futures.power.calm_usd_per_mwh.iter_mut().flatten() {
            *price *= 2.0;
        }
        plan
    };
    let earned = |plan: &Plan, path| {
        let used = plan.path(5, path).uses[1];
        used.earned - used.power
    };
    let passed = charged(BILLED);
    let mut included = passed.clone();
    included.deals[0].contract = contract("mode = \"included\"", "");
    for path in 0..4 {
        // Each of nine months is rounded to the cent. A calm price that is twice as high costs
        // some hundreds of thousands more.
        let moved = earned(&passed, path) - earned(&dearer(&passed), path);
        assert!(moved.as_micro_usd().abs() <= 9 * 10_000, "{moved}");
        let moved = earned(&included, path) - earned(&dearer(&included), path);
        assert!(moved > usd(200_000), "{moved}");
    }
    // An index passes what its price is, and not the 5 for delivery.
    let index = charged("mode = \"index\"\nindex = \"P\"\nadder = \"2\"");
    assert_eq!(index.doubts(), []);
    let used = index.path(5, 0).uses[1];
    let mwh = used.watt_hours as f64 / 1e6;
    let fee = 2.0 * 720.0 * 24.0 * 275.0;
    let left = (used.earned - used.power).as_micro_usd() as f64 / 1e6;
    assert!((left - (fee - 3.0 * mwh)).abs() < 0.1, "{left}");
    // A fixed estimate leaves the whole of the price's risk here.
    let fixed =
        charged("mode = \"pass-through\"\nestimate_per_mwh = \"50\"\ntrue_up = \"none\"");
    let used = fixed.path(5, 0).uses[1];
    let earned = used.earned.as_micro_usd() as f64 / 1e6;
    let mwh = used.watt_hours as f64 / 1e6;
    assert!((earned - fee - 50.0 * mwh).abs() < 0.1, "{earned}");
}

/// What `settle` charges in a month of hours read one by one.
fn by_the_hour(plan: &Plan, (seed, path): (u64, u64), place: usize) -> Money {
    let contract = &plan.deals[0].contract;
    let mut markets = plan.markets(0, seed, path);
    let month = contract.zone.month(plan.period(place));
    let mut at = plan.zone().month(plan.first).start;
    let mut text = String::new();
    let mut say = |kind: &str, from: units::Timestamp, body: String| {
        let seq = text.lines().count() + 1;
        let to = from + Seconds::hours(1);
        let show = |at: units::Timestamp| {
            let text = at.to_string();
            if text.len() == 17 { text.replace('Z', ":00Z") } else { text }
        };
        text += &format!(
            "{{\"seq\":{seq},\"site\":\"s\",\"source\":\"s\",\"source_seq\":{seq},\"kind\":\"{kind}\",\
             \"valid_from\":\"{}\",\"valid_to\":\"{}\",\"known_at\":\"{}\",\"body\":{body}}}\n",
            show(from),
            show(to),
            show(to)
        );
    };
    while at < month.end {
        for hour in markets.next_day().hours {
            // Racks of 1.3 MW at an overhead of 1.2.
            if month.contains(at) {
                let body = "{\"meter\":\"m\",\"wh\":1560000,\"tranche\":\"H1\"}";
                say("meter_interval", at, body.to_owned());
                let price = Amount::from_minor((hour.settled * 1e6) as i64, 6);
                let body = format!("{{\"index\":\"P\",\"per_mwh\":\"{price}\"}}");
                say("energy_price", at, body);
            }
            at = at + Seconds::hours(1);
        }
    }
    let facts = Facts::read(&text).unwrap_or_else(|error| panic!("{error}"));
    let versions = Versions::single(contract.clone()).expect("one version");
    let mut settlement = Settlement::new(versions, facts);
    let period = plan.period(place);
    let owed = settlement.owed(period, cut(contract, period));
    let key = ("H1".to_owned(), period, LineKind::Power);
    Money::from_micro_usd(owed[&key].as_minor() * 10_000)
}

#[test]
fn a_month_read_as_a_whole_is_charged_as_its_hours_are() {
    let plan = charged("mode = \"pass-through\"\nindex = \"P\"\ntrue_up = \"none\"");
    assert_eq!(plan.doubts(), []);
    for path in 0..3 {
        let lived = plan.live(9, path);
        for place in [4, 7, 11] {
            let whole = lived.receipts[0].power[0][place];
            let hours = by_the_hour(&plan, (9, path), place);
            // A cent, of some fifty thousand dollars.
            assert!(whole > usd(20_000), "{whole}");
            let off = (whole - hours).as_micro_usd();
            assert!(off.abs() <= 10_000, "{whole} for {hours}");
        }
    }
}

#[test]
fn a_months_bill_is_split_between_tenant_and_miner_by_energy() {
    // Rigs stay beside the racks, and share their bill.
    let mut plan = charged(BILLED);
    plan.conversions[0].rigs_out.clear();
    let lived = plan.live(9, 1);
    let power = |place: usize, line| -lived.months[place].of(line).as_micro_usd();
    let energy = |place| -> i128 { plan.metered(&lived.sites, 0, 0, place).iter().sum() };
    for place in 3..12 {
        let racks = energy(place);
        let mined = lived.markets()[place].mining_wh;
        let bill =
            i128::from(power(place, Line::PowerRacks) + power(place, Line::PowerMining));
        let exact = bill * racks / (racks + mined);
        let charged = i128::from(lived.receipts[0].power[0][place].as_micro_usd());
        assert!((charged - exact).abs() <= 10_000, "{charged} for {exact}");
    }
    // Rigs that mine in cheap hours alone leave the tenant less than its own hours cost.
    let cost: i64 = (3..12).map(|place| power(place, Line::PowerRacks)).sum();
    let charged: Money = lived.receipts[0].power[0].iter().copied().sum();
    assert!(charged.as_micro_usd() < cost, "{charged} for {cost}");
}

#[test]
fn a_calendar_behind_the_plans_own_has_months_of_its_own() {
    let mut plan =
        charged("mode = \"pass-through\"\nestimate_per_mwh = \"50\"\ntrue_up = \"none\"");
    plan.deals[0].contract.zone =
        settle::calendar::Zone::named("America/Chicago").expect("a zone");
    let lived = plan.live(9, 0);
    let all: i128 =
        (0..12).flat_map(|place| plan.metered(&lived.sites, 0, 0, place)).sum();
    assert_eq!(all, i128::from(lived.sites[0].ran.uses[1].watt_hours));
    // Racks come at midnight in UTC, in the last hours of March there.
    let march: i128 = plan.metered(&lived.sites, 0, 0, 2).iter().sum();
    assert_eq!(march, 5 * 1_560_000);
    let charged: Money = lived.receipts[0].power[0].iter().copied().sum();
    // They are accepted at midnight there, and nothing is owed of months before.
    let exact = (all - march) * 50;
    assert!((i128::from(charged.as_micro_usd()) - exact).abs() <= 12 * 10_000);
}

#[test]
fn terms_that_a_plan_cannot_charge_by_are_refused_with_what_to_do() {
    let doubt = |plan: &Plan| {
        let doubts = plan.doubts();
        let [doubt] = &doubts[..] else { panic!("{doubts:?}") };
        format!("{doubt:?}")
    };
    let unknown = doubt(&charged("mode = \"index\"\nindex = \"HH\""));
    assert!(unknown.contains("HH") && unknown.contains("settlement point"), "{unknown}");
    let nothing = doubt(&charged("mode = \"pass-through\"\ntrue_up = \"none\""));
    assert!(nothing.contains("power charged by none"), "{nothing}");
    // A bill of two sites.
    let mut two = charged(BILLED);
    two.sites.push(Place { name: "other".into(), ..two.sites[0].clone() });
    let mut conversion = two.conversions[0].clone();
    conversion.site = 1;
    conversion.name = "other hall".into();
    two.conversions.push(conversion);
    two.deals[0].contract.tranches[0].quantity = settle::contract::Quantity::Gpus(1_440);
    let said = doubt(&two);
    assert!(said.contains("small and other") && said.contains("one site"), "{said}");
    // By an index each pays for what it draws, and the sum is one site's twice.
    two.deals[0].contract.power = contract("mode = \"index\"\nindex = \"P\"", "").power;
    assert_eq!(two.doubts(), []);
    let both = two.path(5, 0);
    assert_eq!(both.sites[0].uses[1], both.sites[1].uses[1]);
    let one = charged("mode = \"index\"\nindex = \"P\"").path(5, 0);
    let off = both.uses[1].earned - one.uses[1].earned - one.uses[1].earned;
    assert!(off.as_micro_usd().abs() <= 9 * 10_000, "{off}");
}

#[test]
fn a_price_that_moves_with_an_index_follows_what_the_plan_assumes_of_it() {
    let mut plan = charged("mode = \"included\"");
    let index = ", index = { name = \"CPI\", base = \"100\", share = \"0.5\" }";
    plan.deals[0].contract = contract("mode = \"included\"", index);
    let doubts = plan.doubts();
    assert!(format!("{doubts:?}").contains("CPI"), "{doubts:?}");
    let cpi = Escalator { name: "CPI".into(), value: 110.0, per_year: 0.12 };
    plan.futures.escalators = vec![cpi];
    assert_eq!(plan.doubts(), []);
    let outcome = plan.path(7, 0);
    // Half the price moves by how far the index is above 100: in April it grew for three
    // months from 110.
    let at = 110.0 * 1.12_f64.powf(0.25) / 100.0;
    let expected = 720.0 * 720.0 * 2.0 * (0.5 + 0.5 * at);
    let paid = outcome.months[5].of(Line::Contract).as_micro_usd() as f64 / 1e6;
    assert!((paid - expected).abs() < 1.0, "{paid} for {expected}");
    assert!(line(&outcome, Line::Contract) > usd(7_000_000));
}
