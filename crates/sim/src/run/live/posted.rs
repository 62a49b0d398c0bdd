//! What a run metered, as double entries: energy to the joule, and money with every
//! rounding accounted for, however often the process died on the way.

use engine::{MeteredInterval, Site};
use settle::books::{AccountId, Book, Root};
use settle::calendar::Zone;
use units::{Energy, EnergyPrice};

use crate::seed::generator;

/// Joules in a megawatt-hour.
const MWH: i128 = 3_600_000_000;

/// S7: the meter is the sum of its loads and of what they do not explain, what is
/// owed is the sum of its entries, and it is off what energy and prices come to by no
/// more than the halves that were rounded.
pub(super) fn out_of_balance<'m>(
    site: &Site,
    seed: u64,
    metered: impl Iterator<Item = &'m MeteredInterval>,
    truth: Energy,
) -> Option<String> {
    let mut draws = generator(seed, "settled");
    let utc = Zone::named("UTC").expect("a zone that is always known");
    let mut book = Book::new("a live run");
    let joules = book.commodity("JOULE", 0);
    let usd = book.commodity("USD", 6);
    let main = book.account(Root::Assets, &["Meter", "Main"], joules);
    let explained = book.account(Root::Equity, &["Loads"], joules);
    let unexplained = book.account(Root::Equity, &["Unexplained"], joules);
    let accrued = book.account(Root::Liabilities, &["AccruedPower"], usd);
    let expenses = ["Energy", "Adders", "Blocks"]
        .map(|charge| book.account(Root::Expenses, &["Power", charge], usd));
    // What is owed without any rounding, in micro-dollars times joules a MWh; and how
    // many amounts were rounded.
    let (mut exact, mut rounded) = (0_i128, 0_i128);
    for (place, interval) in metered.enumerate() {
        let during = interval.during;
        let day = utc.date(during.start);
        let loads: Energy = interval.loads.iter().map(|load| load.energy).sum();
        let left = interval.site - loads;
        if left != interval.unexplained {
            return Some(format!(
                "S7: expected {left} unexplained from {}, found {}",
                during.start, interval.unexplained
            ));
        }
        let energy = [(main, interval.site), (explained, -loads), (unexplained, -left)];
        let energy = energy.map(|(account, energy)| (account, energy.as_joules()));
        book.post(day, &format!("energy-{place}"), "one interval", &energy);

        let price = draws.integer(-250_000_000..=5_000_000_000);
        let settled = EnergyPrice::from_micro_usd_per_mwh(price);
        let bill = site.tariff.bill(during, interval.site, settled);
        let charges = [bill.energy, bill.adders, bill.blocks].map(|m| -m.as_micro_usd());
        let mut money: Vec<(AccountId, i64)> =
            expenses.iter().copied().zip(charges).collect();
        money.push((accrued, -charges.iter().sum::<i64>()));
        book.post(day, &format!("power-{place}"), "one interval", &money);

        let net = i128::from(interval.site.as_joules());
        exact += i128::from(price) * net;
        let adders = site.tariff.adders_at(during.start).as_micro_usd_per_mwh();
        exact += i128::from(adders) * net.max(0);
        rounded += 2;
        for block in &site.tariff.blocks {
            if block.during.contains(during.start) {
                let bought = i128::from((block.power * during.duration()).as_joules());
                let over = block.price.as_micro_usd_per_mwh() - price;
                exact += i128::from(over) * bought;
                rounded += 1;
            }
        }
    }
    if book.balance(main) != truth.as_joules() {
        let found = Energy::from_joules(book.balance(main));
        return Some(format!(
            "S7: expected {truth} in the meter's account, found {found}"
        ));
    }
    let owed = -i128::from(book.balance(accrued));
    let spent: i64 = expenses.iter().map(|charge| book.balance(*charge)).sum();
    let off = (owed * MWH - exact).abs();
    (2 * off > rounded * MWH || owed != i128::from(spent)).then(|| {
        format!(
            "S7: expected {} micro-dollars owed, rounded {rounded} times, found {owed} \
             owed and {spent} spent",
            exact / MWH
        )
    })
}
