//! `mw books`: a site's books, and what follows from them.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use settle::books::mining::PayoutState;
use settle::books::power::BillState;
use units::Timestamp;

use super::Ending;
use super::backtest::print;
use super::settle::file_name;
use crate::books::export::{Journal, focus, statement_pdf, ubl};
use crate::books::file::BooksFile;
use crate::books::{Books as Loaded, Source, lender, worth};
use crate::contract_files;
use crate::report::books as pages;
use crate::report::statement::page;
use crate::run_folder::RunFolder;

/// Look at a site's books, write them for other programs, and check them.
#[derive(Debug, Subcommand)]
pub(super) enum Books {
    /// Write the books, or the documents, as files for other programs and people.
    Export(Export),
    /// Show what every account comes to.
    Show(Show),
    /// Show how bills and payouts came out against what was accrued, and why.
    Reconcile(Reconcile),
    /// Show when revenue is recognised, and what remains of it.
    Revenue(Revenue),
    /// Show what a lender asks for.
    Lender(Lender),
    /// Show what each hall, megawatt and machine model earned in a run.
    Worth(Worth),
    /// Make everything again from the records alone, and compare.
    Verify(Check),
}

/// The records that books are made from.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// A books file or its folder; or a contract's file, the folder of its versions, or a
    /// folder that has a `contract.toml` beside its `site.toml`.
    path: PathBuf,
    /// What happened under a contract that is given by itself.
    #[arg(long, value_name = "FILE|RUN")]
    facts: Option<PathBuf>,
    /// Make the facts of the whole term of such a contract up, from a seed.
    #[arg(long, value_name = "SEED", conflicts_with = "facts")]
    synth: Option<u64>,
    /// The register whose documents were issued; statements as settled unless given.
    #[arg(long, value_name = "DIR")]
    register: Option<PathBuf>,
    /// What became known later is left out; everything that is due unless given.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    as_of: Option<Timestamp>,
}

impl Given {
    fn load(&self) -> anyhow::Result<Loaded> {
        // A folder of an example has its contract beside its site.
        let contract = self.path.join("contract.toml");
        let beside = contract.is_file() && self.path.join("site.toml").is_file();
        let alone = beside && !BooksFile::is_at(&self.path);
        let path = if alone { &contract } else { &self.path };
        let facts = match (&self.facts, self.synth) {
            (Some(path), _) => Some(contract_files::facts(path)?),
            (None, Some(seed)) => {
                let versions = contract_files::versions(path)?;
                Some(contract_files::made_up(&versions, seed)?.0)
            }
            (None, None) => None,
        };
        Loaded::load(Source {
            path: path.clone(),
            facts,
            register: self.register.clone(),
            as_of: self.as_of,
        })
    }
}

/// What books and documents are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The books for beancount.
    Beancount,
    /// The books for hledger.
    Hledger,
    /// The books for ledger.
    Ledger,
    /// What was billed and what is committed, as FOCUS has them.
    Focus,
    /// Each statement as an invoice of EN 16931 in UBL.
    Ubl,
    /// Each statement as a page of text.
    Text,
    /// Each statement as JSON.
    Json,
    /// Each statement as a PDF.
    Pdf,
}

/// Write the books, or the documents, as files for other programs and people.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    given: Given,
    /// What to write.
    #[arg(long, value_enum)]
    format: Format,
    /// A folder to make, or to add to; a file that is there and differs is left alone.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Show what every account comes to.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    given: Given,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Show how bills and payouts came out against what was accrued, and why.
///
/// Exit code 1 while something is in dispute.
#[derive(Debug, Args)]
pub(super) struct Reconcile {
    #[command(flatten)]
    given: Given,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Show when revenue is recognised, and what remains of it.
///
/// Computed and shown; the accountant decides.
#[derive(Debug, Args)]
pub(super) struct Revenue {
    #[command(flatten)]
    given: Given,
    /// Print as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print every month of every tranche as CSV.
    #[arg(long)]
    csv: bool,
}

/// Show what a lender asks for.
#[derive(Debug, Args)]
pub(super) struct Lender {
    #[command(flatten)]
    given: Given,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Show what each hall, megawatt and machine model earned in a run.
#[derive(Debug, Args)]
pub(super) struct Worth {
    /// The folder of a run of `mw backtest --out`.
    run: PathBuf,
    /// Print as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print as CSV.
    #[arg(long)]
    csv: bool,
}

/// Make everything again from the records alone, and compare.
///
/// Each issued statement is made again from contract and facts, document numbers have no
/// gaps, every entry sums to nothing, and accounts agree with the records summed another
/// way. Exit code 3 where something does not.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    given: Given,
    /// A folder of `mw books export`, whose files have to be the same again.
    #[arg(long, value_name = "DIR")]
    export: Vec<PathBuf>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

impl Books {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Export(command) => command.run(),
            Self::Show(command) => command.run(),
            Self::Reconcile(command) => command.run(),
            Self::Revenue(command) => command.run(),
            Self::Lender(command) => command.run(),
            Self::Worth(command) => command.run(),
            Self::Verify(command) => command.run(),
        }
    }
}

impl Export {
    fn run(self) -> anyhow::Result<Ending> {
        let books = self.given.load()?;
        let adds = self.out.is_dir();
        let place = if adds { self.out.join("making") } else { self.out.clone() };
        let folder = RunFolder::create(&place)?;
        let written = write(&books, self.format, folder.path())?;
        if adds {
            add(folder.path(), &self.out)?;
        } else {
            folder.keep()?;
        }
        let held: Vec<_> =
            books.contracts.iter().filter_map(|one| one.held.as_ref()).collect();
        print(&format!("{written} in {}\n", self.out.display()))?;
        for statement in &held {
            print(&format!(
                "{} of {} is held and left out: {}\n",
                statement.period,
                statement.contract,
                statement.held.first().map_or("", |hold| hold.text.as_str())
            ))?;
        }
        Ok(Ending::Well)
    }
}

/// Moves files into a folder that is there, unless others stand in their places.
fn add(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(from)? {
        let name = entry?.file_name();
        if let Ok(there) = std::fs::read(to.join(&name))
            && there != std::fs::read(from.join(&name))?
        {
            bail!(
                "{} is there already and differs; name another folder or remove it first",
                to.join(&name).display()
            );
        }
        names.push(name);
    }
    for name in names {
        std::fs::rename(from.join(&name), to.join(&name))?;
    }
    Ok(())
}

/// Writes books in a format; says what was written.
fn write(books: &Loaded, format: Format, folder: &Path) -> anyhow::Result<String> {
    let create = |name: &str| {
        let path = folder.join(name);
        File::create(&path)
            .map(BufWriter::new)
            .with_context(|| format!("cannot write {}", path.display()))
    };
    let journal = match format {
        Format::Beancount => Some(Journal::Beancount),
        Format::Hledger => Some(Journal::Hledger),
        Format::Ledger => Some(Journal::Ledger),
        Format::Focus | Format::Ubl | Format::Text | Format::Json | Format::Pdf => None,
    };
    if let Some(journal) = journal {
        let mut file = create(journal.file_name())?;
        journal.write(&books.book, &mut file)?;
        file.flush()?;
        return Ok(format!(
            "{} entries as {}",
            books.book.entries().len(),
            journal.file_name()
        ));
    }
    if format == Format::Focus {
        let mut file = create("usage.csv")?;
        focus::usage(&books.contracts, &mut file)?;
        file.flush()?;
        let mut file = create("commitments.csv")?;
        focus::commitments(&books.contracts, &mut file)?;
        file.flush()?;
        return Ok("usage.csv and commitments.csv".to_owned());
    }
    let mut count = 0_u64;
    for one in &books.contracts {
        let zone = &one.versions.first().zone;
        for statement in &one.issued {
            let (bytes, ending) = match format {
                Format::Ubl => {
                    (ubl::invoice(statement, zone, &books.parties)?.into_bytes(), "xml")
                }
                Format::Text => (page(statement).into_bytes(), "txt"),
                Format::Json => ((statement.to_json() + "\n").into_bytes(), "json"),
                Format::Pdf => (statement_pdf(statement, zone, &books.parties)?, "pdf"),
                Format::Beancount | Format::Hledger | Format::Ledger | Format::Focus => {
                    unreachable!("written above")
                }
            };
            let name = file_name(statement, ending);
            let path = folder.join(&name);
            std::fs::write(&path, bytes)
                .with_context(|| format!("cannot write {}", path.display()))?;
            count += 1;
        }
    }
    Ok(format!("{count} documents"))
}

impl Show {
    fn run(self) -> anyhow::Result<Ending> {
        let books = self.given.load()?;
        if self.json {
            print(&pretty(&pages::accounts(&books))?)?;
        } else {
            print(&pages::accounts_text(&books))?;
        }
        Ok(Ending::Well)
    }
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

impl Reconcile {
    fn run(self) -> anyhow::Result<Ending> {
        let books = self.given.load()?;
        let open = books
            .bills
            .iter()
            .flat_map(|(_, bills)| bills)
            .any(|bill| matches!(bill.state, BillState::Disputed(_)))
            || books
                .payouts
                .iter()
                .any(|payout| matches!(payout.state, PayoutState::Short(_)));
        if self.json {
            print(&pretty(&pages::reconciled(&books))?)?;
        } else {
            print(&pages::reconciled_text(&books))?;
        }
        Ok(if open { Ending::Wrong } else { Ending::Well })
    }
}

impl Revenue {
    fn run(self) -> anyhow::Result<Ending> {
        let books = self.given.load()?;
        if self.csv {
            print(&pages::revenue_csv(&books)?)?;
        } else if self.json {
            print(&pretty(&pages::revenue(&books))?)?;
        } else {
            print(&pages::revenue_text(&books))?;
        }
        Ok(Ending::Well)
    }
}

impl Lender {
    fn run(self) -> anyhow::Result<Ending> {
        let books = self.given.load()?;
        let document = lender::document(&books);
        if self.json {
            print(&pretty(&document)?)?;
        } else {
            print(&pages::lender_text(&document))?;
        }
        Ok(Ending::Well)
    }
}

impl Worth {
    fn run(self) -> anyhow::Result<Ending> {
        let estate = worth::estate(&self.run)?;
        let cuts =
            [("hall", &estate.halls), ("model", &estate.models), ("load", &estate.loads)];
        if self.json {
            let cut = |rows: &Vec<worth::Worth>| -> Vec<Value> {
                let object = |row: &worth::Worth| {
                    let cells = worth::COLUMNS.iter().zip(worth::row(row));
                    let cells = cells.map(|(name, cell)| {
                        let cell =
                            if cell.is_empty() { Value::Null } else { cell.into() };
                        ((*name).to_owned(), cell)
                    });
                    Value::Object(cells.collect())
                };
                rows.iter().map(object).collect()
            };
            print(&pretty(&json!({
                "halls": cut(&estate.halls),
                "models": cut(&estate.models),
                "loads": cut(&estate.loads),
                "intervals_without_a_price": estate.unpriced,
            }))?)?;
        } else if self.csv {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["cut"].iter().chain(&worth::COLUMNS))?;
            for (name, rows) in cuts {
                for row in rows {
                    let cells = worth::row(row);
                    let cells = cells.iter().map(String::as_str);
                    writer.write_record([name].into_iter().chain(cells))?;
                }
            }
            print(&String::from_utf8(writer.into_inner()?)?)?;
        } else {
            print(&pages::worth_text(&estate))?;
        }
        Ok(Ending::Well)
    }
}

impl Check {
    fn run(self) -> anyhow::Result<Ending> {
        check(&self.given.load()?, &self.export, self.json)
    }
}

/// Checks books against their records, and exported folders against the books.
pub(super) fn check(
    books: &Loaded,
    exports: &[PathBuf],
    as_json: bool,
) -> anyhow::Result<Ending> {
    let mut found = books.check();
    for export in exports {
        found.extend(same_again(books, export)?);
    }
    if as_json {
        let statements = books.contracts.iter().map(|one| one.issued.len());
        print(&pretty(&json!({
            "site": books.book.title(),
            "sound": found.is_empty(),
            "statements": statements.sum::<usize>(),
            "entries": books.book.entries().len(),
            "findings": found,
        }))?)?;
    } else {
        print(&pages::checked_text(books, &found))?;
    }
    Ok(if found.is_empty() { Ending::Well } else { Ending::Differs })
}

/// Writes an exported folder again beside it and says which files differ.
fn same_again(books: &Loaded, export: &Path) -> anyhow::Result<Vec<String>> {
    let names = |folder: &Path| -> anyhow::Result<Vec<String>> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    };
    let there = names(export)?;
    if there.is_empty() {
        bail!("{}: expected files of `mw books export`, found none", export.display());
    }
    let formats = [
        ("books.beancount", Format::Beancount),
        ("books.journal", Format::Hledger),
        ("books.ledger", Format::Ledger),
        ("usage.csv", Format::Focus),
        (".xml", Format::Ubl),
        (".txt", Format::Text),
        (".json", Format::Json),
        (".pdf", Format::Pdf),
    ];
    let formats = formats
        .into_iter()
        .filter(|(ending, _)| there.iter().any(|name| name.ends_with(ending)));
    let again = RunFolder::create(&export.with_extension("made-again"))?;
    for (_, format) in formats {
        write(books, format, again.path())?;
    }
    let mut found = Vec::new();
    for name in names(again.path())? {
        let (given, path) = (std::fs::read(export.join(&name)), export.join(&name));
        match given {
            Ok(given) if given == std::fs::read(again.path().join(&name))? => {}
            Ok(_) => {
                found.push(format!("{}: not as the records make it", path.display()))
            }
            Err(_) => found.push(format!("{}: missing", path.display())),
        }
    }
    for name in &there {
        if !again.path().join(name).exists() {
            found.push(format!("{}: not of these records", export.join(name).display()));
        }
    }
    Ok(found)
}
