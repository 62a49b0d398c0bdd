//! The table of a run's energy and money beside the same site always on.

use units::{Energy, Money, Seconds};

use super::{figures, words};
use crate::answer::{Answer, Totals};
use crate::ledger::Use;

/// What stands over the columns of figures.
pub(super) const HEAD: [&str; 4] =
    ["policy", "always on", "difference", "policy mean MW"];

/// One row: a label with its unit, and figures without.
pub(super) struct Row {
    /// What the figures are.
    pub(super) label: &'static str,
    /// Whether it is a part of the row above it that is not.
    pub(super) part: bool,
    pub(super) policy: String,
    pub(super) always_on: String,
    pub(super) difference: String,
    /// The policy's mean power; empty for money.
    pub(super) mean_mw: String,
}

/// A use, its label, and its part of a run's totals.
type Part<T> = (Use, &'static str, fn(&Totals) -> T);

/// The table's rows. Uses that the site does not have are left out.
pub(super) fn rows(answer: &Answer) -> Vec<Row> {
    let (ours, theirs) = (&answer.policy, &answer.always_on);
    let time = answer.range.duration();
    let energy = |label, part, of: fn(&Totals) -> Energy| {
        let (ours, theirs) = (of(ours), of(theirs));
        Row {
            label,
            part,
            policy: figures::mwh(ours, 1),
            always_on: figures::mwh(theirs, 1),
            difference: figures::mwh(ours - theirs, 1),
            mean_mw: mean_mw(ours, time),
        }
    };
    let money = |label, part, of: fn(&Totals) -> Option<Money>| {
        let (ours, theirs) = (of(ours), of(theirs));
        Row {
            label,
            part,
            policy: figures::usd_or_not(ours),
            always_on: figures::usd_or_not(theirs),
            difference: figures::usd_or_not(figures::above(ours, theirs)),
            mean_mw: String::new(),
        }
    };
    let has = |wanted: Use| answer.loads.iter().any(|load| load.used_for == wanted);

    let mut rows = vec![energy("Energy drawn, MWh", false, |t| t.site)];
    let by_use: [Part<Energy>; 4] = [
        (Use::Contracted, "contracted GPU", |t| t.by_use[Use::Contracted as usize]),
        (Use::Uncommitted, "uncommitted GPU", |t| t.by_use[Use::Uncommitted as usize]),
        (Use::Mining, "mining", |t| t.by_use[Use::Mining as usize]),
        (Use::Battery, "battery, net", |t| t.by_use[Use::Battery as usize]),
    ];
    let kept = by_use.into_iter().filter(|(used_for, ..)| has(*used_for));
    rows.extend(kept.map(|(_, label, of)| energy(label, true, of)));

    rows.push(money("Revenue, USD", false, Totals::revenue));
    let revenue: [Part<Option<Money>>; 3] = [
        (Use::Contracted, "contracted GPU", |t| Some(t.contracted)),
        (Use::Uncommitted, "uncommitted GPU", |t| Some(t.uncommitted)),
        (Use::Mining, "mining", Totals::mining),
    ];
    let kept = revenue.into_iter().filter(|(used_for, ..)| has(*used_for));
    rows.extend(kept.map(|(_, label, of)| money(label, true, of)));

    rows.push(money("Power, USD", false, |t| Some(t.power())));
    rows.push(money("energy at settlement price", true, |t| Some(t.energy)));
    if !answer.site.tariff.adders.is_empty() {
        rows.push(money("adders", true, |t| Some(t.adders)));
    }
    if !answer.site.tariff.blocks.is_empty() {
        rows.push(money("fixed-price blocks", true, |t| Some(t.blocks)));
    }
    rows.push(average_paid(ours, theirs));
    rows.push(money("Wear of starts, USD", false, |t| Some(t.wear)));
    rows.push(money("Margin, USD", false, Totals::margin));
    rows
}

fn average_paid(ours: &Totals, theirs: &Totals) -> Row {
    let paid = [ours, theirs].map(words::paid_per_mwh);
    let [policy, always_on] =
        paid.map(|price| price.map_or("-".to_owned(), figures::usd_per_mwh));
    Row {
        label: "average paid, USD/MWh",
        part: true,
        policy,
        always_on,
        difference: match paid {
            [Some(ours), Some(theirs)] => figures::usd_per_mwh(ours - theirs),
            [_, _] => "-".to_owned(),
        },
        mean_mw: String::new(),
    }
}

/// The steady power that gives `energy` in `time`, without the unit.
pub(super) fn mean_mw(energy: Energy, time: Seconds) -> String {
    if time.as_seconds() <= 0 {
        return "-".to_owned();
    }
    figures::mw(energy.over(time), 1)
}
