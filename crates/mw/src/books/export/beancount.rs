//! Books for beancount: nothing is tolerated, and its strict plugins are on.

use std::fmt::Write as _;
use std::io::{self, Write};

use settle::books::{Book, MonthEnd};

use super::{commodities, plain_words, push_amount, push_postings, used};

/// The checks that beancount brings along and does not make by itself.
const PLUGINS: [&str; 6] = [
    "check_closing",
    "check_commodity",
    "leafonly",
    "noduplicates",
    "nounused",
    "onecommodity",
];

/// Writes books, opened before their first entry, with every account's balance on the
/// morning after each month.
pub(super) fn write(
    book: &Book,
    ends: &[MonthEnd],
    to: &mut dyn Write,
) -> io::Result<()> {
    let Some(first) = book.entries().first() else {
        return writeln!(to, "; nothing was posted");
    };
    let opened = first.date.period().first_day();
    writeln!(to, "option \"title\" \"{}\"", plain_words(book.title()))?;
    writeln!(to, "option \"tolerance_multiplier\" \"0\"")?;
    for plugin in PLUGINS {
        writeln!(to, "plugin \"beancount.plugins.{plugin}\"")?;
    }
    writeln!(to)?;
    let accounts = used(book, ends);
    for commodity in commodities(book, &accounts) {
        writeln!(to, "{opened} commodity {}", commodity.code)?;
    }
    writeln!(to)?;
    for account in accounts {
        let code = &book.commodity_of(account).code;
        writeln!(to, "{opened} open {} {code}", book.get(account).name)?;
    }
    let mut posted = 0;
    let mut text = String::new();
    for end in ends {
        for entry in &book.entries()[posted..end.entries] {
            text.clear();
            let _ = writeln!(
                text,
                "\n{} * \"{}\" ^{}",
                entry.date,
                plain_words(&entry.text),
                link(&entry.id)
            );
            push_postings(&mut text, book, entry, "  ");
            to.write_all(text.as_bytes())?;
        }
        posted = end.entries;
        let morning = end.period.next().first_day();
        text.clear();
        text.push('\n');
        for balance in &end.balances {
            let commodity = book.commodity_of(balance.account);
            let name = &book.get(balance.account).name;
            let _ = write!(text, "{morning} balance {name}  ");
            push_amount(&mut text, balance.amount, commodity.places);
            let _ = writeln!(text, " {}", commodity.code);
        }
        to.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// An entry's name as a link: letters, digits and dashes.
fn link(id: &str) -> String {
    let safe = |c: char| {
        let kept = c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if kept { c } else { '-' }
    };
    id.chars().map(safe).collect()
}
