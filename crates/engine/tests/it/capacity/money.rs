//! From looks at machines to the cent: the facts an estate tells, settled.

use super::{Campus, at};
use engine::capacity::{Body, Power, TrayNo};
use settle::calendar::Period;
use settle::contract::{Contract, Versions};
use settle::exposure::exposure;
use settle::facts::Facts;
use settle::settlement::{Settlement, cut, statements};

/// Two tranches at 1.00 a GPU-hour. H1 is two racks of 32 GPUs, H2 is one.
const CONTRACT: &str = r#"
schema = "capacity-contract/1"
id = "CAP"
supplier = "site-co"
customer = "red"
currency = "USD"
timezone = "UTC"
effective = 2026-01-01
[billing]
grace_days = 5
due_days = 30
restate_limit_months = 24
[sla]
basis = "gpu-seconds"
target = "0.995"
tiers = [ { below = "0.995", credit = "0.05" }, { below = "0.99", credit = "0.10" } ]
[sla.excused]
planned_maintenance = { notice_hours = 168 }
customer_caused = {}
[delay]
grace_days = 5
credit = { per_day = "0.01", of = "monthly-fee", cap_days = 60 }
long_stop_days = 120
[[tranche]]
id = "H1"
gpus = 64
price = { unit = "gpu-hour", amount = "1.00" }
delivery = 2026-04-01
months = 12
[[tranche]]
id = "H2"
gpus = 32
price = { unit = "gpu-hour", amount = "1.00" }
delivery = 2026-04-15
months = 12
"#;

fn versions() -> Versions {
    let contract =
        Contract::read(CONTRACT).unwrap_or_else(|problems| panic!("{problems}"));
    Versions::single(contract).expect("one version")
}

/// A campus on which H1 was accepted late and in two parts, the second after all of
/// H2, which was late too.
fn delivered() -> Campus {
    let mut campus = Campus::new("2026-03-20");
    let racks = ["R1", "R2", "R3"].map(|name| campus.put_up(name, "small NVL"));
    for rack in racks {
        campus.burn_in(rack);
    }
    for (rack, tranche, when) in [
        (racks[0], "H1", "2026-04-11T00:00Z"),
        (racks[2], "H2", "2026-04-20T18:00Z"),
        (racks[1], "H1", "2026-04-21T12:00Z"),
    ] {
        campus.until(when);
        campus.look();
        let block = campus.deliver("red", tranche, rack, 0..4);
        campus.say(Body::HandOver { block });
        campus.pass(30);
        campus.look();
    }
    campus
}

/// The lines of a month's statement.
fn lines(campus: &Campus, period: &str) -> Vec<String> {
    let versions = versions();
    let facts = Facts::read(&campus.record()).unwrap_or_else(|fault| panic!("{fault}"));
    let period = Period::parse(period).expect("a month");
    let as_of = cut(versions.first(), period);
    let mut settlement = Settlement::new(versions.clone(), facts.clone());
    assert!(settlement.quarantined(as_of).is_empty(), "nothing is set aside");
    let mut made = statements(&versions, &facts, as_of);
    let made = made.pop().expect("the month's statement");
    assert_eq!(made.period, period);
    assert!(!made.is_held(), "{made:?}");
    made.lines
        .iter()
        .filter(|line| line.service == period)
        .map(|line| format!("{} {} {}", line.tranche, line.kind.name(), line.amount))
        .collect()
}

/// The gaps between acceptances were not looked at: a person finds that all was well.
fn all_was_well(campus: &mut Campus) {
    let open: Vec<String> =
        campus.estate.incidents().iter().map(|incident| incident.id.clone()).collect();
    for incident in open {
        let class = engine::capacity::Class::Available;
        campus.say(Body::Classify { incident, class, evidence: None });
    }
}

/// Looks every two minutes until an instant.
fn watch(campus: &mut Campus, until: &str) {
    while campus.at + units::Seconds::minutes(2) < at(until) {
        campus.pass(120);
        campus.look();
    }
    campus.until(until);
}

#[test]
fn late_in_parts_and_out_of_order_comes_to_these_cents() {
    let mut campus = delivered();
    all_was_well(&mut campus);
    watch(&mut campus, "2026-05-01T00:00Z");
    // Fees: R1 for 20 days, R2 for 9.5 and R3 for 10.25, 32 GPUs each:
    //   32 x 24 x (20 + 9.5) = 22,656.00; 32 x 24 x 10.25 = 7,872.00.
    // A month of H1 from 2026-04-11 is 30 x 24 x 64 = 46,080.00, of H2 23,040.00.
    // Days late less grace: R1 10 - 5, R2 20 - 5, R3 5 - 5.
    //   H1: 0.01 x 46,080 / 2 x (5 + 15) = 4,608.00.
    assert_eq!(
        lines(&campus, "2026-04"),
        ["H1 capacity 22656.00", "H1 delay -4608.00", "H2 capacity 7872.00",]
    );
}

#[test]
fn accepted_and_then_failed_is_credited_to_the_second() {
    let mut campus = delivered();
    all_was_well(&mut campus);
    // H1 in May is 64 x 31 x 86,400 = 171,417,600 GPU-seconds; half of one per cent is
    // 857,088, which is 107,136 s of one tray of eight: one second more costs 5 %.
    watch(&mut campus, "2026-05-10T06:00:05Z");
    campus.see(TrayNo(0), |shows| shows.power = Power::Off);
    watch(&mut campus, "2026-05-11T11:45:41Z");
    let versions = versions();
    let facts = Facts::read(&campus.record()).expect("facts");
    let stake = &exposure(&versions, &facts, campus.at)[0];
    assert_eq!(stake.lost.to_text(), "857088");
    assert_eq!(stake.credit.to_string(), "0.00");
    let next = stake.next.expect("a step");
    // The next GPU-second costs 5 % of 64 x 744 = 47,616.00.
    assert_eq!((next.lost_seconds, next.cost.to_string().as_str()), (1, "2380.80"));
    let mut in_time = delivered_like(&campus);
    for (late, line) in [(false, None), (true, Some("H1 sla -2380.80"))] {
        let campus = &mut in_time[usize::from(late)];
        if late {
            campus.pass(1);
        }
        campus.see(TrayNo(0), |shows| shows.power = Power::On);
        watch(campus, "2026-06-01T00:00Z");
        let found = lines(campus, "2026-05");
        let credit: Vec<&String> =
            found.iter().filter(|line| line.starts_with("H1 sla")).collect();
        assert_eq!(credit.first().map(|line| line.as_str()), line, "{found:?}");
        let seconds = 107_136 + i64::from(late);
        let block = engine::capacity::BlockNo(0);
        assert_eq!(campus.estate.seat_tally(block, 0, campus.at).down, seconds);
    }
}

/// Two campuses that go on from the same point.
fn delivered_like(campus: &Campus) -> [Campus; 2] {
    let copy = || Campus {
        estate: campus.estate.clone(),
        at: campus.at,
        shows: campus.shows.clone(),
        pending: campus.pending.clone(),
        facts: campus.facts.clone(),
        events: campus.events.clone(),
        notices: Vec::new(),
        silent: Vec::new(),
    };
    [copy(), copy()]
}

/// Seconds of a GPU of H1 in a month: reserved, down and by the tenant's wish.
fn seconds(campus: &Campus, period: &str) -> [i64; 3] {
    let versions = versions();
    let facts = Facts::read(&campus.record()).expect("facts");
    let period = Period::parse(period).expect("a month");
    let as_of = cut(versions.first(), period);
    let made = statements(&versions, &facts, as_of).pop().expect("a statement");
    let row = made.availability.iter().find(|row| row.tranche == "H1").expect("a row");
    [row.seconds.reserved, row.seconds.down, row.seconds.customer_caused]
}

/// H1 is full when all of R1, its first block, fails at 2026-05-10T06:00:05Z. Two days
/// later somebody does something about it, and half a day after that R4 is accepted and
/// handed over in its place: 32 GPUs miss two days and a half, 6,912,000 GPU-seconds of
/// the 171,417,600 of May, which is below 99 %.
#[test]
fn a_block_in_the_place_of_another_counts_from_its_acceptance_on() {
    let trays = (0..4).map(TrayNo);
    let block = engine::capacity::BlockNo(0);
    let tenant = || engine::capacity::Actor::Tenant("red".to_owned());
    let why = || "it fails".to_owned();
    let taken_back = vec![(super::operator(), Body::Return { block, why: why() })];
    let given_back = vec![(tenant(), Body::Return { block, why: why() })];
    let cordoned =
        trays.clone().map(|tray| (tenant(), Body::Cordon { tray, why: why() })).collect();
    // Of what its tenant gave back, the last half day is its own wish.
    for (acts, down, wished) in [
        (taken_back, 6_912_000, 0),
        (given_back, 5_529_600, 1_382_400),
        (cordoned, 6_912_000, 0),
    ] {
        let mut campus = delivered();
        let r4 = campus.put_up("R4", "small NVL");
        campus.burn_in(r4);
        all_was_well(&mut campus);
        watch(&mut campus, "2026-05-10T06:00:05Z");
        for tray in trays.clone() {
            campus.shows.get_mut(&tray).expect("a machine").power = Power::Off;
        }
        campus.look();
        watch(&mut campus, "2026-05-12T06:00:05Z");
        for (by, act) in acts {
            campus.tell(by, act).expect("allowed");
        }
        watch(&mut campus, "2026-05-12T18:00:05Z");
        campus.look();
        let next = campus.deliver("red", "H1", r4, 0..4);
        campus.say(Body::HandOver { block: next });
        watch(&mut campus, "2026-07-01T00:00Z");
        let found: Vec<String> = lines(&campus, "2026-05");
        let found: Vec<&String> =
            found.iter().filter(|line| line.starts_with("H1")).collect();
        // A tenth of 47,616.00, and no late delivery.
        assert_eq!(found, ["H1 capacity 47616.00", "H1 sla -4761.60"]);
        assert_eq!(seconds(&campus, "2026-05"), [171_417_600, down, wished]);
        // June is as if nothing had been.
        let found = lines(&campus, "2026-06");
        assert_eq!(found[0], "H1 capacity 46080.00");
        assert!(!found.iter().any(|line| line.starts_with("H1 sla")), "{found:?}");
        assert_eq!(seconds(&campus, "2026-06"), [165_888_000, 0, 0]);
    }
}
