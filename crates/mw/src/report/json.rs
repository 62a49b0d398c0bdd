//! The answer of a backtest as a JSON document, for other programs.
//!
//! Units are in the names of keys. Energy is decimal text in megawatt-hours;
//! money is decimal text in dollars and, beside it, the exact millionths as an
//! integer. `docs/reference/backtest-json.md` describes every key.

use serde_json::{Map, Value, json};
use settle::statement::Statement;
use units::{Energy, EnergyPrice, Interval, Money, Power};

use super::{figures, words};
use crate::answer::{Answer, LoadTotals, PeakCharge, Totals};
use crate::ledger::Use;
use crate::tenancy::Settled;

/// The version of the document; rises when a key changes its meaning.
pub const FORMAT: u32 = 1;

/// What a run came to under each contract.
pub fn contracts(settled: &[Settled]) -> Value {
    let statement = |one: &Statement| {
        json!({
            "number": one.number,
            "month": one.period.to_string(),
            "currency": one.currency,
            "total": one.total.to_string(),
            "payable": one.payable.to_string(),
            "held": one.held.iter().map(|hold| hold.text.as_str()).collect::<Vec<_>>(),
        })
    };
    let contract = |one: &Settled| {
        let statements: Vec<Value> = one.statements.iter().map(statement).collect();
        json!({ "contract": one.contract, "statements": statements })
    };
    settled.iter().map(contract).collect()
}

/// The document of an answer.
pub fn summary(answer: &Answer) -> Value {
    let compared = words::compared(answer);
    let mut document = Object::default();
    document
        .put("format", FORMAT)
        .put("site", answer.site.name.as_str())
        .put("market", answer.site.market.name.as_str())
        .put("settlement_point", answer.site.market.settlement_point.as_str())
        .interval(answer.range)
        .put("intervals", answer.intervals)
        .put("curtailed_seconds", answer.curtailed.as_seconds())
        .put("policy", totals(&answer.policy))
        .put("always_on", compared.then(|| totals(&answer.always_on)))
        .put("difference", compared.then(|| difference(answer)))
        .put("loads", list(&answer.loads, load))
        .put(
            "months",
            list(&answer.months, |((year, monthly), month)| {
                let mut object = Object::default();
                object
                    .put("month", format!("{year:04}-{monthly:02}"))
                    .put("policy", totals(&month.policy))
                    .put("always_on", compared.then(|| totals(&month.always_on)));
                object.done()
            }),
        )
        .put("footing", footing(answer))
        .put("coincident_peaks", list(&answer.peaks, |peak| self::peak(peak, compared)))
        .put("hindsight", hindsight(answer))
        .put(
            "highlights",
            list(&answer.highlights, |highlight| {
                let mut object = Object::default();
                object
                    .interval(highlight.during)
                    .money("gain", highlight.gain)
                    .maybe_price("price_max", highlight.price_max)
                    .put("decided_start", highlight.interval.start.to_string())
                    .power("drawn", highlight.drawn)
                    .power("always_on", highlight.always_on)
                    .put("reasons", highlight.reasons.clone());
                object.done()
            }),
        )
        .put("notes", answer.notes.clone());
    document.done()
}

/// An object of the document: keys in the order they are put, units in names.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    fn interval(&mut self, interval: Interval) -> &mut Self {
        self.put("start", interval.start.to_string()).put("end", interval.end.to_string())
    }

    fn energy(&mut self, key: &str, energy: Energy) -> &mut Self {
        self.put(&format!("{key}_mwh"), energy.to_mwh_text(6))
            .put(&format!("{key}_j"), energy.as_joules())
    }

    fn power(&mut self, key: &str, power: Power) -> &mut Self {
        self.put(&format!("{key}_mw"), power.to_mw_text(6))
    }

    fn money(&mut self, key: &str, money: Money) -> &mut Self {
        self.maybe_money(key, Some(money))
    }

    fn maybe_money(&mut self, key: &str, money: Option<Money>) -> &mut Self {
        self.put(&format!("{key}_usd"), money.map(|money| money.to_usd_text(2)))
            .put(&format!("{key}_micro_usd"), money.map(Money::as_micro_usd))
    }

    fn maybe_price(&mut self, key: &str, price: Option<EnergyPrice>) -> &mut Self {
        self.put(
            &format!("{key}_usd_per_mwh"),
            price.map(|price| price.to_usd_per_mwh_text(6)),
        )
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

fn list<T>(items: impl IntoIterator<Item = T>, shown: impl Fn(T) -> Value) -> Value {
    Value::Array(items.into_iter().map(shown).collect())
}

fn totals(totals: &Totals) -> Value {
    let mut object = Object::default();
    object.energy("site_energy", totals.site);
    for (used_for, energy) in Use::ALL.into_iter().zip(totals.by_use) {
        object.energy(&format!("{}_energy", used_for.key()), energy);
    }
    object
        .money("contracted_revenue", totals.contracted)
        .money("uncommitted_revenue", totals.uncommitted)
        .maybe_money("mining_revenue", totals.mining())
        .maybe_money("revenue", totals.revenue())
        .money("energy_cost", totals.energy)
        .money("adders", totals.adders)
        .money("blocks", totals.blocks)
        .money("power_cost", totals.power())
        .maybe_price("average_paid", words::paid_per_mwh(totals))
        .money("wear", totals.wear)
        .maybe_money("margin", totals.margin())
        .energy("left_out_energy", totals.left_out);
    object.done()
}

fn difference(answer: &Answer) -> Value {
    let (ours, theirs) = (&answer.policy, &answer.always_on);
    let mut object = Object::default();
    object
        .energy("site_energy", ours.site - theirs.site)
        .maybe_money("revenue", figures::above(ours.revenue(), theirs.revenue()))
        .money("power_cost", ours.power() - theirs.power())
        .money("wear", ours.wear - theirs.wear)
        .maybe_money("margin", figures::above(ours.margin(), theirs.margin()));
    object.done()
}

fn load(load: &LoadTotals) -> Value {
    let mut object = Object::default();
    object
        .put("load", load.name.as_str())
        .put("model", load.model.clone())
        .put("used_for", load.used_for.key())
        .energy("energy", load.energy)
        .money("revenue", load.revenue)
        .put("hashes_gh", load.hashes.as_gigahashes().to_string())
        .put("gpu_seconds", load.gpu.as_seconds())
        .put("starts", load.starts)
        .put("uptime_ppm", load.uptime.map(units::Share::as_ppm))
        .maybe_price("worth_mean", load.worth_mean);
    object.done()
}

fn footing(answer: &Answer) -> Value {
    let basis = &answer.basis;
    let mut decided = Object::default();
    for (source, count) in &basis.decided_on {
        let key = source.map_or("none", super::parquet::source_word);
        decided.put(key, *count);
    }
    let mut settled = Object::default();
    for (basis, count) in &basis.settled_at {
        settled.put(basis.map_or("none", crate::feed::Basis::name), *count);
    }
    let mut object = Object::default();
    object
        .put("decided_on_intervals", decided.done())
        .put("settled_at_intervals", settled.done())
        .put("not_fresh_intervals", basis.not_fresh)
        .put("temperature_missing_intervals", basis.temperature_missing)
        .put("peak_not_forecast_intervals", basis.peak_not_forecast)
        .put("limited_intervals", basis.limited)
        .put("firm_shed_intervals", basis.firm_shed);
    object.done()
}

/// The run held against its optimum; the keys are there where it was computed.
fn hindsight(answer: &Answer) -> Option<Value> {
    let mut object = Object::default();
    let found = match answer.hindsight.as_ref()? {
        Err(missing) => {
            object.put("missing", missing.as_str());
            return Some(object.done());
        }
        Ok(found) => found,
    };
    let ppm = |share: Option<units::Share>| share.map(units::Share::as_ppm);
    object
        .put("missing", Value::Null)
        .money("best", found.best)
        .money("policy", found.policy)
        .maybe_money("always_on", found.always_on)
        .money("perfect_forecast", found.perfect)
        .money("forecast_error", found.forecast_error())
        .money("decision_error", found.decision_error())
        .put("caught_ppm", ppm(found.caught()))
        .put("caught_above_always_on_ppm", ppm(found.caught_above_always_on()))
        .put(
            "limits",
            list(&found.limits, |worth| {
                let mut object = Object::default();
                object
                    .put("limit", worth.limit.key())
                    .put("of", worth.limit.name(&answer.site))
                    .money("added", worth.added)
                    .put("intervals", worth.intervals);
                object.done()
            }),
        );
    Some(object.done())
}

fn peak(peak: &PeakCharge, compared: bool) -> Value {
    let mut object = Object::default();
    object
        .put("rule", peak.name.as_str())
        .put(
            "peaks",
            list(&peak.peaks, |interval| {
                let mut object = Object::default();
                object.interval(*interval);
                object.done()
            }),
        )
        .maybe_money("charge", peak.charge)
        .maybe_money("always_on_charge", peak.always_on.filter(|_| compared))
        .put("missing", peak.missing.clone())
        .money("expected", peak.expected)
        .maybe_money("always_on_expected", compared.then_some(peak.expected_always_on));
    object.done()
}
