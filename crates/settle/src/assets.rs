//! What was bought, what it is worth now, and what of it is gone.
//!
//! An asset is depreciated in a straight line by days, from the day it is in service
//! over its life, down to what it is taken to be worth at the end. An impairment
//! lowers what it is carried at on its day and spreads the rest over the days that are
//! left; it is never taken back. A disposal takes all of it out, and the difference to
//! what was paid for it is a gain or a loss.
//!
//! Each amount is rounded on its running total, so that the life of an asset sums to
//! its cost exactly.

use crate::books::{AccountId, Book, Root};
use crate::calendar::{Date, Period};
use crate::exact::{Exact, Rounding};
use std::collections::BTreeMap;

/// One asset, or several of a kind bought and used together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its name; once in a register.
    pub id: String,
    /// Its model, such as the rig's or the rack's.
    pub model: String,
    /// The hall it stands in.
    pub hall: String,
    /// When it was bought.
    pub purchased: Date,
    /// What it cost, in minor units.
    pub cost: i64,
    /// When it came into service, if it has.
    pub in_service: Option<Date>,
    /// Months of service over which it is depreciated.
    pub life_months: i64,
    /// What it is taken to be worth at the end, in minor units.
    pub salvage: i64,
    /// When it was impaired, and what it was worth then, in minor units.
    pub impaired: Option<(Date, i64)>,
    /// When it was disposed of, and for how much, in minor units.
    pub disposed: Option<(Date, i64)>,
}

/// What an asset is carried at on a day, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// What it cost; nothing before it was bought and after it is gone.
    pub cost: i64,
    /// What was written down by use.
    pub depreciation: i64,
    /// What was written down at once.
    pub impairment: i64,
}

impl Carried {
    /// Cost less both.
    pub const fn net(&self) -> i64 {
        self.cost - self.depreciation - self.impairment
    }
}

impl Asset {
    /// What contradicts itself, in words: the key, what was expected, what was found.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut note = |key, text: String| found.push((key, text));
        if self.cost <= 0 {
            note("cost", format!("expected more than 0, found {}", self.cost));
        }
        if self.salvage < 0 || self.salvage > self.cost {
            note("salvage", format!("expected 0 to the cost, found {}", self.salvage));
        }
        if !(1..=1_200).contains(&self.life_months) {
            note(
                "life_months",
                format!("expected 1 to 1200, found {}", self.life_months),
            );
        }
        if let Some(day) = self.in_service
            && day < self.purchased
        {
            let bought = self.purchased;
            note("in_service", format!("expected {bought} or later, found {day}"));
        }
        if let Some((day, amount)) = self.impaired {
            let begun = self.in_service.unwrap_or(self.purchased);
            if day < begun {
                note("impaired", format!("expected {begun} or later, found {day}"));
            } else if found.is_empty() {
                let before = self.before_impairment(day);
                if amount < 0 || amount > before {
                    found.push((
                        "impaired_to",
                        format!("expected 0 to {before}, what it is carried at, found {amount}"),
                    ));
                }
            }
        }
        if let Some((day, proceeds)) = self.disposed {
            let last = self.impaired.map_or(self.purchased, |(day, _)| day);
            let last = self.in_service.map_or(last, |day| day.max(last));
            if day < last {
                found
                    .push(("disposed", format!("expected {last} or later, found {day}")));
            }
            if proceeds < 0 {
                found.push(("proceeds", format!("expected 0 or more, found {proceeds}")));
            }
        }
        found
    }

    /// The day its life ends: the first on which nothing is written down any more.
    fn life_end(&self) -> Option<Date> {
        self.in_service.map(|day| day.plus_months(self.life_months))
    }

    /// Straight down from `from` at `start` to `to` at `end`, on the morning of `day`:
    /// how much of the way is gone.
    fn line(start: Date, end: Date, amount: i64, day: Date) -> i64 {
        let all = end.days_since(start).max(1);
        let gone = day.days_since(start).clamp(0, all);
        let exact = Exact::ratio(i128::from(amount) * i128::from(gone), all.into());
        i64::try_from(exact.rounded(Rounding::HalfUp)).expect("a part of an amount fits")
    }

    /// What it was carried at on the morning of `day`, had it not been impaired.
    fn before_impairment(&self, day: Date) -> i64 {
        let gone = match (self.in_service, self.life_end()) {
            (Some(start), Some(end)) => {
                Self::line(start, end, self.cost - self.salvage, day)
            }
            _ => 0,
        };
        self.cost - gone
    }

    /// What it is carried at on the morning of `day`.
    pub fn carried(&self, day: Date) -> Carried {
        let gone = self.disposed.is_some_and(|(disposed, _)| disposed < day);
        if day <= self.purchased || gone {
            return Carried::default();
        }
        let whole = Carried {
            cost: self.cost,
            depreciation: self.cost - self.before_impairment(day),
            impairment: 0,
        };
        let Some((impaired, to)) = self.impaired.filter(|(impaired, _)| *impaired < day)
        else {
            return whole;
        };
        let before = self.before_impairment(impaired);
        let then = Carried {
            cost: self.cost,
            depreciation: self.cost - before,
            impairment: before - to,
        };
        let end = self.life_end().filter(|end| *end > impaired);
        let since = end.map_or(0, |end| {
            let start = self.in_service.map_or(impaired, |begun| begun.max(impaired));
            Self::line(start, end, (to - self.salvage).max(0), day)
        });
        Carried { depreciation: then.depreciation + since, ..then }
    }
}

/// Posts every asset's purchase, service, depreciation, impairment and disposal up to
/// the end of `until`.
pub fn post(book: &mut Book, assets: &[Asset], code: &str, places: u8, until: Period) {
    let money = book.commodity(code, places);
    let bank = book.account(Root::Assets, &["Bank", code], money);
    let last = until.next().first_day();
    let mut by_month: BTreeMap<Period, Vec<(AccountId, i64)>> = BTreeMap::new();
    for asset in assets {
        let (hall, model) = (asset.hall.as_str(), asset.model.as_str());
        let mut account = |root, names: &[&str]| {
            book.account(root, &[names, &[hall, model]].concat(), money)
        };
        let waiting = account(Root::Assets, &["Equipment", "NotInService"]);
        let cost = account(Root::Assets, &["Equipment", "Cost"]);
        let written = account(Root::Assets, &["Equipment", "Depreciation"]);
        let lowered = account(Root::Assets, &["Equipment", "Impairment"]);
        let depreciation = account(Root::Expenses, &["Depreciation"]);
        let impairment = account(Root::Expenses, &["Impairment"]);
        let disposal = account(Root::Expenses, &["Disposal"]);
        let id = &asset.id;
        if asset.purchased >= last {
            continue;
        }
        let bought = [(waiting, asset.cost), (bank, -asset.cost)];
        book.post(asset.purchased, &format!("asset-{id}-bought"), "bought", &bought);
        let served = asset.in_service.filter(|day| *day < last);
        if let Some(day) = served {
            let moved = [(cost, asset.cost), (waiting, -asset.cost)];
            book.post(day, &format!("asset-{id}-in-service"), "in service", &moved);
        }
        let gone = asset.disposed.filter(|(day, _)| *day < last);
        if let Some((day, to)) = asset.impaired.filter(|(day, _)| *day < last) {
            let loss = asset.carried(day.plus_days(1)).impairment;
            let text = format!("impaired to {}", book.amount(bank, to));
            let entry = [(impairment, loss), (lowered, -loss)];
            book.post(day, &format!("asset-{id}-impaired"), &text, &entry);
        }
        if let Some(start) = served {
            let mut period = start.period();
            let mut before = 0;
            while period <= until {
                let morning = period.next().first_day();
                let at = gone.map_or(morning, |(day, _)| day.min(morning));
                let now = asset.carried(at).depreciation;
                let entry = by_month.entry(period).or_default();
                entry.push((depreciation, now - before));
                entry.push((written, before - now));
                before = now;
                if gone.is_some_and(|(day, _)| day.period() <= period) {
                    break;
                }
                period = period.next();
            }
        }
        if let Some((day, proceeds)) = gone {
            // On the morning of its day: what it went down that month stands above.
            let carried = asset.carried(day);
            // An impairment on the very day is posted, so it is taken out too.
            let lower = match asset.impaired {
                Some((on, to)) if on == day => asset.before_impairment(on) - to,
                Some(_) | None => carried.impairment,
            };
            let loss = asset.cost - carried.depreciation - lower - proceeds;
            let from = if served.is_some() { cost } else { waiting };
            let entry = [
                (bank, proceeds),
                (from, -asset.cost),
                (written, carried.depreciation),
                (lowered, lower),
                (disposal, loss),
            ];
            let text = if loss < 0 { "disposed of, at a gain" } else { "disposed of" };
            book.post(day, &format!("asset-{id}-disposed"), text, &entry);
        }
    }
    for (period, postings) in by_month {
        let day = period.next().first_day().plus_days(-1);
        let id = format!("depreciation-{period}");
        book.post(day, &id, &format!("depreciation of {period}"), &postings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> Date {
        Date::parse(text).expect("a day")
    }

    fn rack() -> Asset {
        Asset {
            id: "r1".to_owned(),
            model: "GB300".to_owned(),
            hall: "Horizon 1".to_owned(),
            purchased: day("2026-01-10"),
            cost: 400_000_000,
            in_service: Some(day("2026-04-01")),
            life_months: 60,
            salvage: 40_000_000,
            impaired: None,
            disposed: None,
        }
    }

    #[test]
    fn a_life_by_hand() {
        let asset = rack();
        // 2026-04-01 to 2031-04-01 is 1 826 days, of which April has 30.
        let april = asset.carried(day("2026-05-01")).depreciation;
        assert_eq!(april, (360_000_000_i64 * 30 * 2 + 1_826) / (2 * 1_826));
        assert_eq!(asset.carried(day("2026-04-01")).net(), 400_000_000);
        assert_eq!(asset.carried(day("2031-04-01")).net(), 40_000_000);
        assert_eq!(asset.carried(day("2040-01-01")).net(), 40_000_000);
    }

    #[test]
    fn an_impaired_asset_goes_down_from_there() {
        let mut asset = rack();
        asset.impaired = Some((day("2028-04-01"), 100_000_000));
        assert_eq!(asset.problems(), []);
        assert_eq!(asset.carried(day("2028-04-02")).impairment, {
            let before = 400_000_000 - (360_000_000_i64 * 731 * 2 + 1_826) / (2 * 1_826);
            before - 100_000_000
        });
        assert_eq!(asset.carried(day("2031-04-01")).net(), 40_000_000);
    }

    proptest! {
        #[test]
        fn everything_bought_is_written_down_or_paid_for(
            cost in 1_i64..1_000_000_000, salvage in 0_i64..100, life in 1_i64..80,
            impaired in proptest::option::of((0_i64..3_000, 0_i64..100)),
            gone in 0_i64..4_000, proceeds in 0_i64..1_000_000,
        ) {
            let mut asset = rack();
            (asset.cost, asset.salvage, asset.life_months) = (cost, cost * salvage / 100, life);
            let begun = asset.in_service.expect("it is");
            asset.impaired = impaired.map(|(days, share)| {
                let on = begun.plus_days(days);
                (on, asset.before_impairment(on) * share / 100)
            });
            let last = asset.impaired.map_or(begun, |(on, _)| on);
            asset.disposed = Some((last.plus_days(gone), proceeds));
            prop_assert_eq!(asset.problems(), []);
            let mut book = Book::new("a site");
            let until = last.plus_days(gone).plus_months(2).period();
            post(&mut book, &[asset], "USD", 2, until);
            for (account, known) in book.accounts() {
                let equipment = known.name.starts_with("Assets:Equipment:");
                prop_assert!(!equipment || book.balance(account) == 0, "{}", known.name);
            }
            let spent: i64 = book.accounts()
                .filter(|(_, known)| known.root == Root::Expenses)
                .map(|(account, _)| book.balance(account)).sum();
            prop_assert_eq!(spent, cost - proceeds);
        }
    }
}
