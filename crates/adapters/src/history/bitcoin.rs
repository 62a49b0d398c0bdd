//! Bitcoin days: what a petahash per second earned on each.
//!
//! A block pays its subsidy and its fees; a day's mean of both over its blocks
//! is the reward. What a source lacks is derived, in this order, and every
//! derivation is counted in a note:
//!
//! | figure | published | else |
//! |---|---|---|
//! | difficulty | as it is | from hash rate and blocks |
//! | blocks | as they are | from hash rate and difficulty where that gives 60 to 260, else 144 |
//! | subsidy | by block height | issued over blocks, else by date of the halvings |
//! | fees | as they are | none: the reward is then too low, never too high |

use std::collections::BTreeMap;

use settle::mining;
use units::{
    BitcoinPrice, Difficulty, HashRate, Hashprice, Interval, Satoshis, Timestamp,
};

use super::cell::{DAY, days};
use super::draft::BitcoinRow;
use super::note::{Note, NoteKind, counted};

/// One UTC day of bitcoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitcoinDay {
    /// The day.
    pub day: Interval,
    /// When its figures could first be known: the day's end.
    pub known_at: Timestamp,
    /// What a petahash per second earned that day before the pool's fee.
    pub hashprice: Hashprice,
    /// The price of a coin: the day's close or its mean, as the source has it.
    pub price: BitcoinPrice,
    /// The difficulty.
    pub difficulty: Difficulty,
    /// Subsidy and fees of a block, the mean of the day.
    pub reward: Satoshis,
    /// How the figures came about.
    pub derived: BitcoinDerivation,
}

/// How the figures of a bitcoin day came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitcoinDerivation {
    /// Where the difficulty comes from.
    pub difficulty: DifficultySource,
    /// Where the count of blocks comes from.
    pub blocks: BlocksSource,
    /// Where the subsidy comes from.
    pub subsidy: SubsidySource,
    /// Whether the fees are missing and count as none.
    pub fees_missing: bool,
}

/// Where a day's difficulty comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifficultySource {
    /// The history has it.
    Published,
    /// The network's hash rate and the day's blocks.
    Implied,
}

/// Where a day's count of blocks comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlocksSource {
    /// The history has it.
    Published,
    /// The network's hash rate and the difficulty.
    Implied,
    /// The target of 144 a day.
    Target,
}

/// Where a day's subsidy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubsidySource {
    /// The height of the day's last block.
    Height,
    /// What was issued that day.
    Issued,
    /// The date, by the table of halvings.
    Date,
}

/// Blocks of a day at the protocol's target pace.
const BLOCKS_TARGET: i64 = 144;

/// Blocks of a day that are believed when they come from a hash rate. A day's
/// count strays from 144 by tens; beyond this the hash rate is another figure,
/// such as a mean over a week.
const BLOCKS_BELIEVED: std::ops::RangeInclusive<i64> = 60..=260;

/// The halvings so far: the UTC day of the block, and its height. Source: the
/// blocks' own timestamps, 2012-11-28 15:24, 2016-07-09 16:46, 2020-05-11 19:23
/// and 2024-04-20 00:09 UTC.
const HALVINGS: [(i64, u64); 4] = [
    (days(2012, 11, 28), 210_000),
    (days(2016, 7, 9), 420_000),
    (days(2020, 5, 11), 630_000),
    (days(2024, 4, 20), 840_000),
];

/// The height at the end of a day, about: at the target pace from the last halving that
/// had happened by then. Knows nothing of later blocks.
pub fn height_about(day: Timestamp) -> u64 {
    let number = day.as_unix_seconds().div_euclid(86_400);
    let from = HALVINGS.iter().rev().find(|halving| halving.0 <= number);
    // The first block of all is of 2009-01-03.
    let (since, height) = from.copied().unwrap_or((days(2009, 1, 3), 0));
    let blocks = (number - since).max(0) * BLOCKS_TARGET;
    // A halving that is due and has not come is still to come.
    height + u64::try_from(blocks).unwrap_or_default().min(209_999)
}

/// From here on a date alone does not tell the subsidy: the halving at 1 050 000
/// is expected in the spring of 2028, on a day that nobody knows.
const NEXT_HALVING_UNKNOWN: i64 = days(2028, 1, 1);

/// What no figure can pass, to keep slipped decimals out: 10^9 dollars a coin,
/// a thousand times today's difficulty, a hundred times today's hash rate. At
/// that rate one block a day still implies a difficulty that fits.
const PRICE_MICRO_MAX: i64 = 1_000_000_000 * 1_000_000;
const DIFFICULTY_MAX: i64 = 150_000_000_000_000_000;
const NETWORK_GHS_MAX: i64 = 100_000_000_000_000;

/// The subsidy of a block on `day`, by the halvings known; the whole day of a
/// halving counts as after it, so that pay is never overstated.
fn subsidy_by_date(day: i64) -> Option<Satoshis> {
    if day >= NEXT_HALVING_UNKNOWN {
        return None;
    }
    let height =
        HALVINGS.iter().rev().find(|halving| halving.0 <= day).map_or(0, |h| h.1);
    Some(mining::subsidy(height))
}

/// What was issued in the `blocks` blocks up to `height`.
fn issued_by_height(height: i64, blocks: i64) -> Option<Satoshis> {
    let first = u64::try_from(height - blocks + 1).ok()?;
    let last = u64::try_from(height).ok()?;
    let boundary = last / mining::HALVING_BLOCKS * mining::HALVING_BLOCKS;
    let after = i64::try_from(last - first.max(boundary) + 1).ok()?;
    let before = blocks - after;
    let paid = |height, count: i64| mining::subsidy(height).as_satoshis() * count;
    Some(Satoshis::from_satoshis(paid(last, after) + paid(first, before)))
}

/// Blocks implied by a hash rate at a difficulty, rounded down.
fn implied_blocks(network_ghs: i64, difficulty: i64) -> i64 {
    let hashes = i128::from(network_ghs) * 1_000_000_000 * 86_400;
    let blocks = hashes / (i128::from(difficulty) << 32);
    i64::try_from(blocks).unwrap_or(i64::MAX)
}

/// One derivation's count in one file, for its note.
#[derive(Default)]
struct Counts(BTreeMap<(u32, &'static str, &'static str), (u64, u32)>);

impl Counts {
    fn count(&mut self, row: &BitcoinRow, what: &'static str, treatment: &'static str) {
        self.0.entry((row.file, what, treatment)).or_insert((0, row.row)).0 += 1;
    }

    fn notes(self, names: &[String], notes: &mut Vec<Note>) {
        for ((file, what, treatment), (count, row)) in self.0 {
            notes.push(note(
                names,
                file,
                row,
                NoteKind::BitcoinDerived,
                format!("{} {what}", counted(count, "day")),
                treatment.to_owned(),
            ));
        }
    }
}

fn note(
    names: &[String],
    file: u32,
    row: u32,
    kind: NoteKind,
    message: String,
    treatment: String,
) -> Note {
    let file = names.get(file as usize).cloned();
    Note { file, row: Some(u64::from(row)), point: None, kind, message, treatment }
}

/// How much of a day a row has; where files overlap, the fuller row counts.
fn fullness(row: &BitcoinRow) -> usize {
    [row.difficulty, row.blocks, row.fees, row.issued, row.height, row.network]
        .iter()
        .flatten()
        .count()
}

/// Makes days of the rows of all files, sorted, one a day.
pub(super) fn days_of(
    rows: &[BitcoinRow],
    names: &[String],
) -> (Vec<BitcoinDay>, Vec<Note>) {
    let mut notes = Vec::new();
    let chosen = one_row_a_day(rows, names, &mut notes);
    let mut counts = Counts::default();
    let mut found = Vec::with_capacity(chosen.len());
    for row in chosen.values() {
        match day_of(row, &mut counts) {
            Ok(day) => found.push(day),
            Err(why) => notes.push(note(
                names,
                row.file,
                row.row,
                NoteKind::Quarantined,
                format!("{}: {why}", date_text(row.day)),
                "day treated as missing".to_owned(),
            )),
        }
    }
    counts.notes(names, &mut notes);
    (found, notes)
}

fn date_text(day: i64) -> String {
    super::local_time::civil_date(day).to_string()
}

fn one_row_a_day<'r>(
    rows: &'r [BitcoinRow],
    names: &[String],
    notes: &mut Vec<Note>,
) -> BTreeMap<i64, &'r BitcoinRow> {
    let mut chosen: BTreeMap<i64, &BitcoinRow> = BTreeMap::new();
    let mut between_files: BTreeMap<(u32, u32), (u64, i64, i64)> = BTreeMap::new();
    for row in rows {
        let Some(known) = chosen.get_mut(&row.day) else {
            chosen.insert(row.day, row);
            continue;
        };
        if known.file == row.file {
            let same = known.price == row.price
                && known.difficulty == row.difficulty
                && known.network == row.network
                && known.fees == row.fees;
            let (kind, treatment) = if same {
                (NoteKind::RepeatedRow, "dropped")
            } else {
                (NoteKind::CorrectedRow, "the later row counts as a correction")
            };
            let message = format!("{} repeats row {}", date_text(row.day), known.row);
            notes.push(note(
                names,
                row.file,
                row.row,
                kind,
                message,
                treatment.to_owned(),
            ));
            if !same {
                *known = row;
            }
            continue;
        }
        let fuller = fullness(row) > fullness(known);
        let (winner, loser) = if fuller { (row, *known) } else { (*known, row) };
        let span = between_files
            .entry((winner.file, loser.file))
            .or_insert((0, row.day, row.day));
        *span = (span.0 + 1, span.1.min(row.day), span.2.max(row.day));
        *known = winner;
    }
    for ((winner, loser), (count, first, last)) in between_files {
        let name = |file: u32| names.get(file as usize).map_or("", String::as_str);
        notes.push(Note {
            file: Some(name(winner).to_owned()),
            row: None,
            point: None,
            kind: NoteKind::Overlap,
            message: format!(
                "{} from {} to {} also in {}",
                counted(count, "bitcoin day"),
                date_text(first),
                date_text(last),
                name(loser)
            ),
            treatment: "the row that has more figures counts, else the first file's"
                .to_owned(),
        });
    }
    chosen
}

fn day_of(row: &BitcoinRow, counts: &mut Counts) -> Result<BitcoinDay, String> {
    let Some(price) = row.price.filter(|price| (1..=PRICE_MICRO_MAX).contains(price))
    else {
        return Err("the price is not above zero and believable".to_owned());
    };
    let believable = |figure: Option<i64>, max: i64, what: &str| match figure {
        Some(value) if !(1..=max).contains(&value) => {
            Err(format!("the {what} is not above zero and believable"))
        }
        _ => Ok(figure),
    };
    let published = believable(row.difficulty, DIFFICULTY_MAX, "difficulty")?;
    let network = believable(row.network, NETWORK_GHS_MAX, "hash rate")?;
    let counted = row.blocks.filter(|blocks| (1..=1_000).contains(blocks));
    if row.blocks.is_some() && counted.is_none() {
        return Err("the count of blocks is not between 1 and 1000".to_owned());
    }

    let (blocks, blocks_source) = match (counted, network, published) {
        (Some(blocks), _, _) => (blocks, BlocksSource::Published),
        (None, Some(network), Some(difficulty))
            if BLOCKS_BELIEVED.contains(&implied_blocks(network, difficulty)) =>
        {
            let what = "without a count of blocks";
            counts.count(row, what, "taken from hash rate and difficulty");
            (implied_blocks(network, difficulty), BlocksSource::Implied)
        }
        (None, _, _) => {
            let what = "without a count of blocks or a hash rate that gives one";
            counts.count(row, what, "taken as the target of 144");
            (BLOCKS_TARGET, BlocksSource::Target)
        }
    };
    let (difficulty, difficulty_source) = match (published, network) {
        (Some(difficulty), _) => {
            (Difficulty::from_whole(difficulty), DifficultySource::Published)
        }
        (None, Some(network)) => {
            counts.count(row, "without a difficulty", "taken from hash rate and blocks");
            let network = HashRate::from_ghs(network);
            (Difficulty::implied(network, blocks), DifficultySource::Implied)
        }
        (None, None) => return Err("neither a difficulty nor a hash rate".to_owned()),
    };
    if !(1..=DIFFICULTY_MAX).contains(&difficulty.as_whole()) {
        return Err("hash rate and blocks imply no believable difficulty".to_owned());
    }

    let by_height = row.height.and_then(|height| issued_by_height(height, blocks));
    // More than fifty coins a block were never issued.
    let issued =
        row.issued.filter(|issued| *issued > 0 && issued / blocks <= 5_000_000_000);
    let (issued, subsidy_source) = if let Some(issued) = by_height {
        (issued, SubsidySource::Height)
    } else if let (Some(issued), BlocksSource::Published) = (issued, blocks_source) {
        (Satoshis::from_satoshis(issued), SubsidySource::Issued)
    } else if let Some(subsidy) = subsidy_by_date(row.day) {
        counts.count(
            row,
            "without block heights or an issue that gives the subsidy",
            "taken by date from the halvings known",
        );
        let total = Satoshis::from_satoshis(subsidy.as_satoshis() * blocks);
        (total, SubsidySource::Date)
    } else {
        return Err(
            "no block height, and after 2027 a date does not tell the subsidy".to_owned()
        );
    };
    // A thousand coins of fees in a day were never paid; more is a slip.
    let fees = row.fees.filter(|fees| (0..=1_000_000_000_000).contains(fees));
    if fees.is_none() {
        counts.count(
            row,
            "without fees",
            "counted as none, so mining pay is understated",
        );
    }
    let fees_total = Satoshis::from_satoshis(fees.unwrap_or(0));
    let reward = (issued + fees_total).among(blocks);
    let price = BitcoinPrice::from_micro_usd(price);
    // The largest price at the smallest difficulty would leave 64 bits.
    let exact = i128::from(reward.as_satoshis()) * i128::from(price.as_micro_usd()) * 202
        / i128::from(difficulty.as_whole());
    if exact > i128::from(i64::MAX) {
        return Err(
            "price and difficulty together give no believable hashprice".to_owned()
        );
    }
    let start = Timestamp::from_unix_seconds(row.day * DAY);
    let end = Timestamp::from_unix_seconds((row.day + 1) * DAY);
    Ok(BitcoinDay {
        day: Interval { start, end },
        known_at: end,
        hashprice: mining::hashprice(reward, price, difficulty),
        price,
        difficulty,
        reward,
        derived: BitcoinDerivation {
            difficulty: difficulty_source,
            blocks: blocks_source,
            subsidy: subsidy_source,
            fees_missing: fees.is_none(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(day: i64) -> BitcoinRow {
        BitcoinRow {
            day,
            price: Some(87_133_510_000),
            network: Some(1_134_974_870_440),
            fees: Some(280_614_000),
            issued: Some(48_125_000_000),
            blocks: Some(154),
            ..BitcoinRow::default()
        }
    }

    fn check(row: BitcoinRow) -> Result<BitcoinDay, String> {
        day_of(&row, &mut Counts::default())
    }

    #[test]
    fn a_height_is_about_that_of_the_chain_and_knows_no_later_halving() {
        // Blocks of those days: 769 786 on 2023-01-01, 823 786 on 2024-01-01, 877 258 on
        // 2025-01-01; a week is a thousand.
        for (day, height) in
            [("2023-01-01", 769_786), ("2024-01-01", 823_786), ("2025-01-01", 877_258)]
        {
            let day = Timestamp::parse(day).expect("a date");
            let found = height_about(day);
            assert!(found.abs_diff(height) < 5_000, "{day}: {found} for {height}");
        }
        let at = |day| height_about(Timestamp::parse(day).expect("a date"));
        assert!(at("2024-04-19") < 840_000);
        assert_eq!(at("2024-04-20"), 840_000);
        assert_eq!(at("2009-01-03"), 0);
        assert_eq!(at("2032-01-01"), 840_000 + 209_999);
    }

    #[test]
    fn the_worked_day_earns_what_was_published() {
        let day = check(row(days(2025, 12, 29))).expect("a day");
        assert_eq!(day.hashprice.to_string(), "37.16 USD/PH/day");
        assert_eq!(day.difficulty.as_whole() / 1_000_000_000, 148_258);
        assert_eq!(day.known_at.to_string(), "2025-12-30T00:00Z");
        assert_eq!(day.derived.subsidy, SubsidySource::Issued);
        assert_eq!(day.derived.difficulty, DifficultySource::Implied);
    }

    #[test]
    fn heights_split_the_day_of_a_halving() {
        let cases = [
            (840_099, 144, 100 * 312_500_000 + 44 * 625_000_000),
            (840_143, 144, 144 * 312_500_000),
            (839_999, 144, 144 * 625_000_000),
            (840_000, 1, 312_500_000),
        ];
        for (height, blocks, expected) in cases {
            let issued = issued_by_height(height, blocks).expect("an issue");
            assert_eq!(issued.as_satoshis(), expected, "{height}");
        }
        assert_eq!(issued_by_height(10, 144), None);
    }

    #[test]
    fn dates_tell_the_subsidy_until_the_next_halving() {
        let cases = [
            (days(2012, 11, 27), Some(5_000_000_000)),
            (days(2012, 11, 28), Some(2_500_000_000)),
            (days(2016, 7, 9), Some(1_250_000_000)),
            (days(2020, 5, 11), Some(625_000_000)),
            (days(2024, 4, 19), Some(625_000_000)),
            (days(2024, 4, 20), Some(312_500_000)),
            (days(2027, 12, 31), Some(312_500_000)),
            (days(2028, 1, 1), None),
        ];
        for (day, expected) in cases {
            assert_eq!(
                subsidy_by_date(day).map(Satoshis::as_satoshis),
                expected,
                "{day}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_derived() {
        let day = days(2025, 12, 29);
        let implied = BitcoinRow {
            blocks: None,
            difficulty: Some(148_258_000_000_000),
            ..row(day)
        };
        let found = check(implied).expect("a day").derived;
        assert_eq!(found.blocks, BlocksSource::Implied);
        assert_eq!(found.subsidy, SubsidySource::Date);
        let smoothed = BitcoinRow { network: Some(5_000_000_000_000), ..implied };
        assert_eq!(check(smoothed).expect("a day").derived.blocks, BlocksSource::Target);
        let no_fees = check(BitcoinRow { fees: None, ..row(day) }).expect("a day");
        assert!(no_fees.derived.fees_missing);
        assert!(no_fees.hashprice < check(row(day)).expect("a day").hashprice);
    }

    #[test]
    fn nonsense_is_quarantined_and_never_panics() {
        let day = days(2025, 12, 29);
        let nonsense = [
            BitcoinRow { price: Some(0), ..row(day) },
            BitcoinRow { price: Some(-1), ..row(day) },
            BitcoinRow { price: Some(i64::MAX), ..row(day) },
            BitcoinRow { difficulty: Some(0), ..row(day) },
            BitcoinRow { difficulty: Some(i64::MAX), ..row(day) },
            BitcoinRow { difficulty: Some(1), price: Some(PRICE_MICRO_MAX), ..row(day) },
            BitcoinRow { network: Some(i64::MAX), ..row(day) },
            BitcoinRow { network: Some(NETWORK_GHS_MAX), blocks: Some(1), ..row(day) },
            BitcoinRow { network: None, ..row(day) },
            BitcoinRow { blocks: Some(0), ..row(day) },
            BitcoinRow { issued: None, ..row(days(2028, 6, 1)) },
        ];
        for (case, row) in nonsense.into_iter().enumerate() {
            assert!(check(row).is_err(), "case {case}");
        }
    }
}
