//! A site's books: every record it has, posted in one place and checked.
//!
//! [`Books::load`] reads what a books file names, or a contract and its facts alone,
//! and posts all of it. What comes out is shown by [`export`], [`lender`] and
//! [`worth`], and checked by [`check`](Books::check). Nothing of it is kept: books are
//! made again from the records whenever they are asked for.

pub mod export;
pub mod file;
pub mod lender;
pub mod records;
pub mod register;
pub mod rows;
pub mod worth;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use settle::assets::{self, Asset};
use settle::books::{
    Book, ContractRecords, PostedContract, mining, post_contract, power, tie_out,
};
use settle::calendar::{Period, Zone};
use settle::contract::{Currency, Versions};
use settle::documents::Register;
use settle::exact::Exact;
use settle::facts::Facts;
use settle::settlement::{Settlement, differences, statements};
use settle::statement::Statement;
use units::Timestamp;

use crate::contract_files;
use file::{BooksFile, Party};
use records::DebtService;
use register::RegisterFolder;

/// What a site's books are made from.
pub struct Source {
    /// The books file, its folder, a contract's file, or the folder of its versions.
    pub path: PathBuf,
    /// The facts of a contract that is given by itself.
    pub facts: Option<Facts>,
    /// The register of a contract that is given by itself.
    pub register: Option<PathBuf>,
    /// What is known later is left out; everything that is due unless said.
    pub as_of: Option<Timestamp>,
}

/// A contract, its records and what posting them gave.
pub struct OneContract {
    /// Its versions.
    pub versions: Versions,
    /// Its facts.
    pub facts: Facts,
    /// The statements issued.
    pub issued: Vec<Statement>,
    /// The statement that is held after them, where one is.
    pub held: Option<Statement>,
    /// The register, where its documents are kept in one.
    pub register: Option<(RegisterFolder, Register)>,
    /// The instant up to which its records count.
    pub as_of: Timestamp,
    /// Its revenue.
    pub posted: PostedContract,
    takes_unnamed: bool,
    others: Vec<String>,
}

/// A site's books.
pub struct Books {
    /// Everything posted, in the order of days.
    pub book: Book,
    /// The contracts.
    pub contracts: Vec<OneContract>,
    /// How the bills of each biller came out.
    pub bills: Vec<(String, Vec<power::Reconciled>)>,
    /// How the pools' payouts came out.
    pub payouts: Vec<mining::Reconciled>,
    /// What is owned.
    pub assets: Vec<Asset>,
    /// What lenders are owed, and the coverage a covenant asks for.
    pub debt: Option<(Vec<DebtService>, Option<Exact>)>,
    /// Parties as invoices name them, by what contracts call them.
    pub parties: BTreeMap<String, Party>,
    /// The run whose intervals say what each hall and machine earned.
    pub run: Option<PathBuf>,
    /// The currency of the site's own records.
    pub currency: Currency,
    /// The zone of the site's own records.
    pub zone: Zone,
}

impl Books {
    /// Reads records and posts them.
    ///
    /// # Errors
    ///
    /// What is wrong with a record, with its file, row or key.
    pub fn load(source: Source) -> anyhow::Result<Self> {
        if BooksFile::is_at(&source.path) {
            return Self::of_site(&source);
        }
        let versions = contract_files::versions(&source.path)?;
        let facts = source.facts.context(
            "expected the facts of the contract, found none; give --facts or --synth, or \
             a books file that names them",
        )?;
        Self::of_contract(versions, facts, source.register.as_deref(), source.as_of)
    }

    /// The books of one contract whose records are at hand.
    ///
    /// # Errors
    ///
    /// As [`Books::load`].
    pub fn of_contract(
        versions: Versions,
        facts: Facts,
        register: Option<&Path>,
        as_of: Option<Timestamp>,
    ) -> anyhow::Result<Self> {
        let first = versions.first().clone();
        let mut books = Self::empty(&first.supplier, first.currency, first.zone);
        books.add_contract(versions, facts, register, as_of, true, &[])?;
        books.book.sort();
        Ok(books)
    }

    fn empty(title: &str, currency: Currency, zone: Zone) -> Self {
        Self {
            book: Book::new(title),
            contracts: Vec::new(),
            bills: Vec::new(),
            payouts: Vec::new(),
            assets: Vec::new(),
            debt: None,
            parties: BTreeMap::new(),
            run: None,
            currency,
            zone,
        }
    }

    fn of_site(source: &Source) -> anyhow::Result<Self> {
        let file = BooksFile::read(&source.path)?;
        let currency = file.currency();
        let zone = Zone::named(&file.timezone).context("checked when it was read")?;
        let mut books = Self::empty(&file.site, currency, zone);
        for party in &file.party {
            books.parties.insert(party.id.clone(), party.clone());
        }
        let read =
            file.contract.iter().map(|entry| contract_files::versions(&entry.contract));
        let versions = read.collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<String> =
            versions.iter().map(|one| one.first().id.clone()).collect();
        for (place, (entry, versions)) in file.contract.iter().zip(versions).enumerate() {
            let facts = contract_files::facts(&entry.facts)?;
            // A payment that names nobody is the first contract's whose facts tell it.
            let told = &file.contract[..place];
            let unnamed = !told.iter().any(|before| before.facts == entry.facts);
            let mut others = ids.clone();
            others.remove(place);
            let register = entry.register.as_deref();
            books.add_contract(
                versions,
                facts,
                register,
                source.as_of,
                unnamed,
                &others,
            )?;
        }
        books.run = file.run.clone();
        let until = source.as_of.map(|at| books.zone.date(at));
        let kept = |day: settle::calendar::Date| until.is_none_or(|until| day <= until);
        let closed = |period: Period| kept(period.next().first_day().plus_days(-1));
        books.add_power(&file, &kept, &closed)?;
        books.add_mining(&file, &kept)?;
        if let Some(entry) = &file.assets {
            let places = u32::from(books.currency.places);
            books.assets = records::assets(&entry.register, places)?;
            let last = books.book.entries().iter().map(|entry| entry.date.period()).max();
            let last = until.map(|day| day.plus_days(1).period().previous()).or(last);
            if let Some(last) = last {
                let Currency { code, places } = &books.currency;
                assets::post(&mut books.book, &books.assets, code, *places, last);
            }
        }
        if let Some(entry) = &file.debt {
            let places = u32::from(books.currency.places);
            let covenant = match &entry.covenant {
                Some(text) => Some(Exact::parse(text).with_context(|| {
                    format!("debt.covenant: expected a ratio such as \"1.05\", found \"{text}\"")
                })?),
                None => None,
            };
            books.debt = Some((records::debt(&entry.service, places)?, covenant));
        }
        books.book.sort();
        Ok(books)
    }

    fn add_contract(
        &mut self,
        versions: Versions,
        facts: Facts,
        register: Option<&Path>,
        as_of: Option<Timestamp>,
        takes_unnamed: bool,
        others: &[String],
    ) -> anyhow::Result<()> {
        let as_of = as_of.unwrap_or_else(|| contract_files::due_by(&versions, &facts));
        let contract = versions.first().id.clone();
        let mut held = None;
        let (issued, register) = match register {
            Some(folder) => {
                let folder = RegisterFolder::at(folder);
                let register = folder.read()?;
                let mut issued = folder.issued(&register, &contract)?;
                issued.retain(|one| one.as_of <= as_of);
                (issued, Some((folder, register)))
            }
            None => {
                let mut made = statements(&versions, &facts, as_of);
                held = made.pop_if(|one| one.is_held());
                (made, None)
            }
        };
        let records = ContractRecords {
            versions: &versions,
            facts: &facts,
            issued: &issued,
            as_of,
            takes_unnamed,
            others,
        };
        let posted = post_contract(&mut self.book, records)
            .map_err(|problem| anyhow::anyhow!("{contract}: {problem}"))?;
        self.contracts.push(OneContract {
            versions,
            facts,
            issued,
            held,
            register,
            as_of,
            posted,
            takes_unnamed,
            others: others.to_owned(),
        });
        Ok(())
    }

    fn add_power(
        &mut self,
        file: &BooksFile,
        kept: &dyn Fn(settle::calendar::Date) -> bool,
        closed: &dyn Fn(Period) -> bool,
    ) -> anyhow::Result<()> {
        let places = u32::from(self.currency.places);
        for entry in &file.power {
            let mut accruals = match &entry.accrued {
                Some(path) => records::accruals(path, places)?,
                None => Vec::new(),
            };
            if let (true, Some(run)) = (entry.from_run, &file.run) {
                accruals.extend(worth::accruals(run, &self.zone, self.currency.places)?);
            }
            let mut bills = match &entry.bills {
                Some(path) => records::bills(path, places)?,
                None => Vec::new(),
            };
            let mut decisions = match &entry.decisions {
                Some(path) => records::decisions(path)?,
                None => Vec::new(),
            };
            accruals.retain(|accrual| closed(accrual.period));
            bills.retain(|bill| kept(bill.date));
            decisions.retain(|decision| kept(decision.date));
            for bill in &mut bills {
                bill.paid = bill.paid.filter(|day| kept(*day));
            }
            let tolerance = file::share(
                "power.tolerance",
                entry.tolerance.as_deref(),
                Exact::ratio(5, 1_000),
            )?;
            let power = power::Power {
                biller: &entry.biller,
                currency: (&self.currency.code, self.currency.places),
                accruals: &accruals,
                bills: &bills,
                decisions: &decisions,
                tolerance,
            };
            let reconciled = power::post(&mut self.book, &power)
                .map_err(|problem| anyhow::anyhow!("{}: {problem}", entry.biller))?;
            self.bills.push((entry.biller.clone(), reconciled));
        }
        Ok(())
    }

    fn add_mining(
        &mut self,
        file: &BooksFile,
        kept: &dyn Fn(settle::calendar::Date) -> bool,
    ) -> anyhow::Result<()> {
        let Some(entry) = &file.mining else { return Ok(()) };
        let mut earned = records::earned(&entry.earned, u32::from(self.currency.places))?;
        let mut payouts = match &entry.payouts {
            Some(path) => records::payouts(path)?,
            None => Vec::new(),
        };
        let mut given_up = match &entry.given_up {
            Some(path) => records::given_up(path)?,
            None => Vec::new(),
        };
        earned.retain(|one| kept(one.day));
        payouts.retain(|one| kept(one.date));
        given_up.retain(|one| kept(one.date));
        let mut fees = BTreeMap::new();
        for (pool, text) in &entry.fees {
            let key = format!("mining.fees.{pool}");
            fees.insert(pool.clone(), file::share(&key, Some(text), Exact::ZERO)?);
        }
        let tolerance = file::share(
            "mining.tolerance",
            entry.tolerance.as_deref(),
            Exact::ratio(1, 1_000),
        )?;
        let mining = mining::Mining {
            currency: (&self.currency.code, self.currency.places),
            earned: &earned,
            payouts: &payouts,
            given_up: &given_up,
            fees: &fees,
            tolerance,
        };
        self.payouts = mining::post(&mut self.book, &mining)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        Ok(())
    }

    /// What is wrong, in words, from the records alone: each issued statement made again
    /// from contract and facts, document numbers, every entry's sum, and the accounts
    /// against the records summed another way.
    pub fn check(&self) -> Vec<String> {
        let mut found = Vec::new();
        for one in &self.contracts {
            // Made again one after the other: a month more costs a month's work.
            let mut settlement = Settlement::new(one.versions.clone(), one.facts.clone());
            for (place, statement) in one.issued.iter().enumerate() {
                let again = settlement.statement(statement.period, statement.as_of);
                if again != *statement {
                    let before = &one.issued[..place];
                    let number = statement.number.as_deref().unwrap_or("held");
                    let differ =
                        differences(&one.versions, &one.facts, before, statement);
                    found.extend(
                        differ.into_iter().map(|text| format!("{number}: {text}")),
                    );
                }
                settlement.issue(statement);
            }
            if let Some((folder, register)) = &one.register {
                found.extend(register.gaps());
                for document in register.documents() {
                    if let Err(error) = folder.document(document) {
                        found.push(format!("{error:#}"));
                    }
                }
            }
            let records = ContractRecords {
                versions: &one.versions,
                facts: &one.facts,
                issued: &one.issued,
                as_of: one.as_of,
                takes_unnamed: one.takes_unnamed,
                others: &one.others,
            };
            let posted = &one.posted;
            found.extend(tie_out(
                &self.book,
                records,
                &posted.schedules,
                &posted.counted,
            ));
        }
        found.extend(self.sums());
        found
    }

    /// Every entry sums to nothing, and every id stands once.
    fn sums(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut ids = std::collections::BTreeSet::new();
        for entry in self.book.entries() {
            if !ids.insert(entry.id.as_str()) {
                found.push(format!("entry {} of {} stands twice", entry.id, entry.date));
            }
            let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
            for (account, amount) in &entry.postings {
                let code = self.book.commodity_of(*account).code.as_str();
                *sums.entry(code).or_default() += i128::from(*amount);
            }
            let off = sums.iter().filter(|(_, sum)| **sum != 0);
            found.extend(off.map(|(code, sum)| {
                format!("entry {} of {} is off by {sum} in {code}", entry.id, entry.date)
            }));
        }
        found
    }
}
