//! What exporting a ledger of a million entries takes: `books_cost FOLDER [ENTRIES]`.
//!
//! The entries are made up: ten years of a thousand accounts, three postings each, and
//! the balance of every account at every month's end. Written to files in FOLDER, which
//! is emptied first, and the size of each is shown.
#![expect(clippy::print_stdout, reason = "an example answers on standard output")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use mw::books::export::Journal;
use settle::books::{AccountId, Book, Root};
use settle::calendar::Date;

const ACCOUNTS: usize = 1_000;
const DAYS: usize = 3_650;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("expected a folder to write")?);
    let count = match arguments.next() {
        Some(text) => text.parse().context("expected how many entries")?,
        None => 1_000_000,
    };
    let began = Instant::now();
    let book = imagined(count);
    println!("{count} entries made in {:.2} s", began.elapsed().as_secs_f64());
    fs::create_dir_all(&folder)?;
    for journal in Journal::ALL {
        let path = folder.join(journal.file_name());
        let began = Instant::now();
        let mut file = BufWriter::new(File::create(&path)?);
        journal.write(&book, &mut file)?;
        file.flush()?;
        println!(
            "{:18} {:6.2} s, {} MB",
            journal.file_name(),
            began.elapsed().as_secs_f64(),
            fs::metadata(&path)?.len() / 1_000_000
        );
        fs::remove_file(&path)?;
    }
    Ok(())
}

fn imagined(count: usize) -> Book {
    let mut book = Book::new("a site that was made up");
    let usd = book.commodity("USD", 2);
    let accounts: Vec<AccountId> = (0..ACCOUNTS)
        .map(|place| {
            let root = [Root::Assets, Root::Income, Root::Expenses][place % 3];
            book.account(root, &["Halls", &format!("{place:04}")], usd)
        })
        .collect();
    let first = Date::new(2026, 1, 1).expect("a day");
    for entry in 0..count {
        let day = first.plus_days((entry * DAYS / count.max(1)) as i64);
        let at = |step: usize| accounts[(entry * 7 + step * 131) % ACCOUNTS];
        let (net, tax) = (10_000 + (entry % 977) as i64, (entry % 89) as i64);
        let postings = [(at(0), net + tax), (at(1), -net), (at(2), -tax)];
        book.post(day, &format!("entry-{entry}"), "an imagined delivery", &postings);
    }
    book.sort();
    book
}
