//! Books for hledger and for ledger: every account and commodity is declared, entries
//! stand in the order of their days, and every month ends with every account's balance.
//!
//! hledger checks the order of days and balances as of them. ledger takes entries as they
//! stand, so there each entry says its day again and ledger is told to compare.

use std::fmt::Write as _;
use std::io::{self, Write};

use settle::books::{Book, Commodity, MonthEnd};

use super::{Journal, ascii, commodities, plain_words, push_amount, push_postings, used};

/// Writes books for one of the two.
pub(super) fn write(
    journal: Journal,
    book: &Book,
    ends: &[MonthEnd],
    to: &mut dyn Write,
) -> io::Result<()> {
    writeln!(to, "; {}", plain_words(book.title()))?;
    let accounts = used(book, ends);
    for commodity in commodities(book, &accounts) {
        declare(journal, commodity, to)?;
    }
    for account in accounts {
        writeln!(to, "account {}", book.get(account).name)?;
    }
    if journal == Journal::Ledger {
        writeln!(to, "tag day\n    assert value == format_date(date, \"%Y-%m-%d\")")?;
    }
    let mut posted = 0;
    let mut text = String::new();
    for end in ends {
        for entry in &book.entries()[posted..end.entries] {
            text.clear();
            let _ = writeln!(
                text,
                "\n{} * ({}) {}",
                entry.date,
                code(&entry.id),
                plain_words(&entry.text)
            );
            if journal == Journal::Ledger {
                let _ = writeln!(text, "    ; day: {}", entry.date);
            }
            push_postings(&mut text, book, entry, "    ");
            to.write_all(text.as_bytes())?;
        }
        posted = end.entries;
        text.clear();
        let _ = writeln!(text, "\n{} * balances of {}", end.last_day(), end.period);
        if journal == Journal::Ledger {
            let _ = writeln!(text, "    ; day: {}", end.last_day());
        }
        for balance in &end.balances {
            let commodity = book.commodity_of(balance.account);
            let _ = write!(text, "    {}  ", book.get(balance.account).name);
            push_amount(&mut text, 0, commodity.places);
            let _ = write!(text, " {} = ", commodity.code);
            push_amount(&mut text, balance.amount, commodity.places);
            let _ = writeln!(text, " {}", commodity.code);
        }
        to.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn declare(
    journal: Journal,
    commodity: &Commodity,
    to: &mut dyn Write,
) -> io::Result<()> {
    let code = &commodity.code;
    let mut sample = String::new();
    push_amount(
        &mut sample,
        1_000 * 10_i64.pow(commodity.places.into()),
        commodity.places,
    );
    match journal {
        // A mark for decimals is needed even where there are none.
        Journal::Hledger if commodity.places == 0 => {
            writeln!(to, "commodity {sample}. {code}")
        }
        Journal::Hledger | Journal::Beancount => {
            writeln!(to, "commodity {sample} {code}")
        }
        Journal::Ledger => writeln!(to, "commodity {code}\n    format {sample} {code}"),
    }
}

/// An entry's name within parentheses.
fn code(id: &str) -> String {
    ascii(&id.replace(['(', ')'], "-"))
}
