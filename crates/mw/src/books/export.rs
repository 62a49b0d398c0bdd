//! Books and documents as the files that other programs and people read.

pub mod beancount;
pub mod focus;
mod pdf;
pub mod plain;
pub mod ubl;

use std::io::{self, Write};

use settle::books::{AccountId, Book, Commodity, Entry, MonthEnd, month_ends};

pub use pdf::statement as statement_pdf;

/// What a book's journal is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// For beancount.
    Beancount,
    /// For hledger.
    Hledger,
    /// For ledger.
    Ledger,
}

impl Journal {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Beancount, Self::Hledger, Self::Ledger];

    /// What the file is called.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Beancount => "books.beancount",
            Self::Hledger => "books.journal",
            Self::Ledger => "books.ledger",
        }
    }

    /// Writes sorted books, with the balance of every account at every month's end.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(self, book: &Book, to: &mut dyn Write) -> io::Result<()> {
        let ends = month_ends(book);
        match self {
            Self::Beancount => beancount::write(book, &ends, to),
            Self::Hledger | Self::Ledger => plain::write(self, book, &ends, to),
        }
    }
}

/// Which accounts were ever posted to, by place, in an order for people.
fn used(book: &Book, ends: &[MonthEnd]) -> Vec<AccountId> {
    let mut used: Vec<_> = ends
        .last()
        .map(|end| end.balances.iter().map(|balance| balance.account).collect())
        .unwrap_or_default();
    used.sort_by(|a, b| book.get(*a).name.cmp(&book.get(*b).name));
    used
}

/// A text that no journal format reads more into than words.
fn plain_words(text: &str) -> String {
    let word = |c: char| match c {
        '"' | '\\' | ';' | '|' | '\n' | '\r' | '\t' | '*' | '!' | '#' | '^' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    ascii(&text.chars().map(word).collect::<String>()).trim().to_owned()
}

/// A text in ASCII, which FOCUS asks for and hledger reads in any locale: letters with
/// marks lose them, and what has no such letter is a question mark.
fn ascii(text: &str) -> String {
    const SPELLED: [(&str, &str); 24] = [
        ("ÀÁÂÃÅĀĂĄ", "A"),
        ("àáâãåāăą", "a"),
        ("ÇĆČ", "C"),
        ("çćč", "c"),
        ("ÈÉÊËĒĖĘĚ", "E"),
        ("èéêëēėęě", "e"),
        ("ÌÍÎÏĪĮİ", "I"),
        ("ìíîïīįı", "i"),
        ("ÑŃŇ", "N"),
        ("ñńň", "n"),
        ("ÒÓÔÕØŌŐ", "O"),
        ("òóôõøōő", "o"),
        ("ŚŠŞ", "S"),
        ("śšş", "s"),
        ("ÙÚÛŪŮŰ", "U"),
        ("ùúûūůű", "u"),
        ("ÝŸ", "Y"),
        ("ýÿ", "y"),
        ("ŹŻŽ", "Z"),
        ("źżž", "z"),
        ("Łł", "l"),
        ("Ää", "ae"),
        ("Öö", "oe"),
        ("Üü", "ue"),
    ];
    let mut spelled = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ' '..='~' => spelled.push(letter),
            'ß' => spelled.push_str("ss"),
            '\u{2013}' | '\u{2014}' | '\u{2212}' => spelled.push('-'),
            letter => {
                let known = SPELLED.iter().find(|(letters, _)| letters.contains(letter));
                spelled.push_str(known.map_or("?", |(_, plain)| plain));
            }
        }
    }
    spelled
}

/// An entry's postings, a line each, appended to a text.
fn push_postings(text: &mut String, book: &Book, entry: &Entry, indent: &str) {
    for (account, amount) in &entry.postings {
        let commodity = book.commodity_of(*account);
        text.extend([indent, &book.get(*account).name, "  "]);
        push_amount(text, *amount, commodity.places);
        text.extend([" ", &commodity.code, "\n"]);
    }
}

/// The commodities that are posted in, in the order of the book.
fn commodities<'b>(
    book: &'b Book,
    accounts: &'b [AccountId],
) -> impl Iterator<Item = &'b Commodity> {
    book.commodities().iter().filter(|commodity| {
        accounts.iter().any(|account| book.commodity_of(*account) == *commodity)
    })
}

/// An amount in a commodity's places, as text, appended to a line.
fn push_amount(line: &mut String, amount: i64, places: u8) {
    use std::fmt::Write as _;
    if amount < 0 {
        line.push('-');
    }
    let unit = 10_u64.pow(u32::from(places));
    let size = amount.unsigned_abs();
    let _ = write!(line, "{}", size / unit);
    if places > 0 {
        let _ = write!(line, ".{:0width$}", size % unit, width = usize::from(places));
    }
}
