//! A contract file as it was written: typed access that notes every problem.

use crate::calendar::Date;
use crate::exact::Exact;
use std::cell::RefCell;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The key, such as `sla.target`; empty for the file as a whole.
    pub key: String,
    /// What was expected, what was found, and what to do.
    pub text: String,
}

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "line {}: {}", self.line, self.text),
            key => write!(f, "line {}: `{key}`: {}", self.line, self.text),
        }
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            std::fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl Problems {
    /// The problems as lines that begin with the file's name.
    pub fn in_file(&self, file: &str) -> String {
        self.0.iter().map(|problem| format!("{file}: {problem}\n")).collect()
    }
}

/// The file's text and what has been found wrong with it.
pub(super) struct Source<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

/// A table of the file and the keys of it that were asked for.
pub(super) struct Table<'s, 't> {
    source: &'s Source<'t>,
    entries: &'s DeTable<'t>,
    path: String,
    line: usize,
    asked: RefCell<Vec<&'static str>>,
}

/// A value with where it stands.
#[derive(Clone, Copy)]
pub(super) struct Written<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: RefCell::new(Vec::new()) }
    }

    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.text[..offset.min(self.text.len())].matches('\n').count()
    }

    pub(super) fn note(&self, line: usize, key: &str, text: impl Into<String>) {
        let problem = Problem { line, key: key.to_owned(), text: text.into() };
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn finish(self) -> Option<Problems> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        (!problems.is_empty()).then_some(Problems(problems))
    }
}

impl<'s, 't> Table<'s, 't> {
    pub(super) fn root(source: &'s Source<'t>, entries: &'s DeTable<'t>) -> Self {
        Self::at(source, entries, String::new(), 1)
    }

    fn at(
        source: &'s Source<'t>,
        entries: &'s DeTable<'t>,
        path: String,
        line: usize,
    ) -> Self {
        Self { source, entries, path, line, asked: RefCell::new(Vec::new()) }
    }

    /// Where the table begins.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The key's path from the file's root.
    pub(super) fn path(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    /// Notes a problem with `key` at `line`.
    pub(super) fn note(&self, line: usize, key: &str, text: impl Into<String>) {
        self.source.note(line, &self.path(key), text);
    }

    fn get(&self, key: &'static str) -> Option<&'s Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().push(key);
        self.entries.get(key)
    }

    /// Reads `key` by `read`, which says what it expected when it refuses.
    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&'s DeValue<'t>) -> Option<T>,
    ) -> Option<Written<T>> {
        let spanned = self.get(key)?;
        let line = self.source.line(spanned.span().start);
        match read(spanned.get_ref()) {
            Some(value) => Some(Written { value, line }),
            None => {
                let found = shown(spanned.get_ref());
                self.note(line, key, format!("expected {expected}, found {found}"));
                None
            }
        }
    }

    /// Notes that `key` is missing when it was not written at all.
    fn demand<T>(
        &self,
        key: &'static str,
        expected: &str,
        found: Option<Written<T>>,
    ) -> Option<Written<T>> {
        if found.is_none() && !self.entries.contains_key(key) {
            self.note(
                self.line,
                key,
                format!("expected {expected}, found nothing; add the key"),
            );
        }
        found
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Written<&'s str>> {
        self.typed(key, "text", DeValue::as_str)
    }

    pub(super) fn text_needed(&self, key: &'static str) -> Option<Written<&'s str>> {
        let found = self.typed(key, "text that is not empty", |value| {
            value.as_str().filter(|text| !text.trim().is_empty())
        });
        self.demand(key, "text", found)
    }

    pub(super) fn decimal(&self, key: &'static str) -> Option<Written<Exact>> {
        self.typed(key, "a decimal number in quotes, such as \"2.40\"", |value| {
            value.as_str().and_then(|text| Exact::parse(text).ok())
        })
    }

    pub(super) fn decimal_needed(&self, key: &'static str) -> Option<Written<Exact>> {
        let found = self.decimal(key);
        self.demand(key, "a decimal number in quotes, such as \"2.40\"", found)
    }

    pub(super) fn whole(
        &self,
        key: &'static str,
        least: i64,
        most: i64,
    ) -> Option<Written<i64>> {
        self.typed(key, &format!("a whole number from {least} to {most}"), |value| {
            let number = value.as_integer()?;
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    pub(super) fn whole_needed(
        &self,
        key: &'static str,
        least: i64,
        most: i64,
    ) -> Option<Written<i64>> {
        let found = self.whole(key, least, most);
        self.demand(key, &format!("a whole number from {least} to {most}"), found)
    }

    /// Hours: a whole number, or a decimal in quotes; not negative.
    pub(super) fn hours(&self, key: &'static str) -> Option<Written<Exact>> {
        self.typed(key, "hours, not negative and at most 8784", |value| {
            let hours = match value.as_str() {
                Some(text) => Exact::parse(text).ok()?,
                None => Exact::whole(value.as_integer()?.as_str().parse().ok()?),
            };
            (!hours.is_negative() && hours <= Exact::whole(8_784)).then_some(hours)
        })
    }

    /// A day of these two centuries: a term is counted month by month.
    pub(super) fn date_needed(&self, key: &'static str) -> Option<Written<Date>> {
        let expected = "a date from 2000 to 2199, such as 2026-04-01, without quotes";
        let found = self.typed(key, expected, |value| {
            let written = value.as_datetime()?;
            match (written.date, written.time, written.offset) {
                (Some(date), None, None) if (2_000..2_200).contains(&date.year) => {
                    Date::new(
                        i16::try_from(date.year).ok()?,
                        i8::try_from(date.month).ok()?,
                        i8::try_from(date.day).ok()?,
                    )
                }
                _ => None,
            }
        });
        self.demand(key, expected, found)
    }

    /// One of a few words; the first stands when the key is absent.
    pub(super) fn word<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Written<T> {
        let names: Vec<String> =
            choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let found = self.typed(key, &names.join(" or "), |value| {
            let text = value.as_str()?;
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
        });
        found.unwrap_or(Written { value: choices[0].1, line: self.line })
    }

    pub(super) fn table(&self, key: &'static str) -> Option<Table<'s, 't>> {
        let found = self.typed(key, "a table", DeValue::as_table)?;
        Some(Table::at(self.source, found.value, self.path(key), found.line))
    }

    pub(super) fn table_needed(&self, key: &'static str) -> Option<Table<'s, 't>> {
        if !self.has(key) {
            self.note(self.line, key, "expected a table, found nothing; add it");
        }
        self.table(key)
    }

    /// A table, or the one word that stands for none.
    pub(super) fn table_or_word(
        &self,
        key: &'static str,
        word: &str,
    ) -> Option<Table<'s, 't>> {
        let expected = format!("a table or \"{word}\"");
        let found = self.typed(key, &expected, |value| match value.as_table() {
            Some(table) => Some(Some(table)),
            None => (value.as_str() == Some(word)).then_some(None),
        })?;
        let entries = found.value?;
        Some(Table::at(self.source, entries, self.path(key), found.line))
    }

    pub(super) fn tables(&self, key: &'static str) -> Vec<Table<'s, 't>> {
        let list = self.typed(key, "a list of tables", DeValue::as_array);
        let mut tables = Vec::new();
        for (place, entry) in list.iter().flat_map(|list| list.value.iter().enumerate()) {
            let line = self.source.line(entry.span().start);
            let path = self.path(&format!("{key}[{}]", place + 1));
            match entry.get_ref().as_table() {
                Some(entries) => {
                    tables.push(Table::at(self.source, entries, path, line));
                }
                None => {
                    let found = shown(entry.get_ref());
                    self.source.note(
                        line,
                        &path,
                        format!("expected a table, found {found}"),
                    );
                }
            }
        }
        tables
    }

    /// Every key of the table with its value, for tables whose keys are names.
    pub(super) fn named_decimals(&self) -> Vec<(String, Written<Exact>)> {
        let mut found = Vec::new();
        for (key, value) in self.entries.iter() {
            let line = self.source.line(value.span().start);
            match value.get_ref().as_str().and_then(|text| Exact::parse(text).ok()) {
                Some(value) => {
                    found.push((key.get_ref().to_string(), Written { value, line }));
                }
                None => {
                    let text = format!(
                        "expected a decimal number in quotes, found {}",
                        shown(value.get_ref())
                    );
                    self.note(line, key.get_ref(), text);
                }
            }
        }
        found
    }

    /// Notes every key that nothing asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries.iter() {
            let name: &str = key.get_ref();
            if !asked.contains(&name) {
                let line = self.source.line(key.span().start);
                let mut known = asked.clone();
                known.sort_unstable();
                known.dedup();
                let text = format!(
                    "expected one of {}, found an unknown key; correct or remove it",
                    known.join(", ")
                );
                self.note(line, name, text);
            }
        }
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number} without quotes"),
        DeValue::Boolean(flag) => format!("{flag}"),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
