//! A Parquet file made row by row from declared columns.

use std::fs::File;
use std::sync::Arc;

use anyhow::Result;
use engine::{Limit, Site};
use parquet::basic::{
    Compression, ConvertedType, Encoding, LogicalType, Repetition, TimeUnit,
    Type as Physical,
};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use units::Timestamp;

/// Rows in a row group: a few megabytes of columns at a time, and enough rows
/// that a dictionary pays.
const GROUP_ROWS: usize = 65_536;

/// What a table is about, and what one of its rows is made from.
pub(super) trait Subject: 'static {
    /// The figures of one row, borrowed from where they are.
    type Row<'a>;
}

/// One column: its name with the unit in it, and where its values come from.
pub(super) struct Column<S: Subject> {
    /// The name, which ends in the unit.
    pub(super) name: &'static str,
    /// What it means, as a sentence for the reference page.
    pub(super) meaning: &'static str,
    /// Its values.
    pub(super) values: Values<S>,
}

/// How a row gives a column its value, and of which type.
pub(super) enum Values<S: Subject> {
    /// A whole number, always there.
    Whole(for<'a> fn(&S::Row<'a>) -> i64),
    /// A whole number, where there is one.
    MaybeWhole(for<'a> fn(&S::Row<'a>) -> Option<i64>),
    /// An instant, always there.
    Instant(for<'a> fn(&S::Row<'a>) -> Timestamp),
    /// An instant, where there is one.
    MaybeInstant(for<'a> fn(&S::Row<'a>) -> Option<Timestamp>),
    /// One of a few words, always there.
    Word(for<'a> fn(&S::Row<'a>) -> &'static str),
    /// One of a few words, where there is one.
    MaybeWord(for<'a> fn(&S::Row<'a>) -> Option<&'static str>),
    /// The name of a load, always there.
    LoadName(for<'a> fn(&S::Row<'a>) -> usize),
    /// The name of a load, where there is one.
    MaybeLoadName(for<'a> fn(&S::Row<'a>) -> Option<usize>),
    /// The name of a feeder, where there is one.
    MaybeFeederName(for<'a> fn(&S::Row<'a>) -> Option<usize>),
    /// The name of a limit, where there is one.
    LimitName(for<'a> fn(&S::Row<'a>) -> Option<Limit>),
}

/// The values of one column that wait for their row group to fill.
struct Waiting {
    whole: Vec<i64>,
    /// Places in `labels`.
    words: Vec<u16>,
    labels: Vec<ByteArray>,
    /// The words that `labels` were made from, where they are known ahead only
    /// to the program.
    known: Vec<&'static str>,
    /// 1 where there is a value, for a column that may lack some.
    present: Vec<i16>,
}

/// A Parquet file in the making.
pub(super) struct Table<S: Subject> {
    columns: &'static [Column<S>],
    waiting: Vec<Waiting>,
    rows: usize,
    file: SerializedFileWriter<File>,
    scratch: Vec<ByteArray>,
}

impl<S: Subject> Values<S> {
    /// The type as the reference page names it, and whether a value may lack.
    pub(super) fn shown(&self) -> (&'static str, bool) {
        match self {
            Self::Whole(_) => ("INT64", false),
            Self::MaybeWhole(_) => ("INT64", true),
            Self::Instant(_) => ("TIMESTAMP (microseconds, UTC)", false),
            Self::MaybeInstant(_) => ("TIMESTAMP (microseconds, UTC)", true),
            Self::Word(_) | Self::LoadName(_) => ("STRING", false),
            Self::MaybeWord(_)
            | Self::MaybeLoadName(_)
            | Self::MaybeFeederName(_)
            | Self::LimitName(_) => ("STRING", true),
        }
    }

    fn schema(&self, name: &str) -> Result<TypePtr> {
        let (physical, logical) = match self {
            Self::Whole(_) | Self::MaybeWhole(_) => (Physical::INT64, None),
            Self::Instant(_) | Self::MaybeInstant(_) => {
                let utc_microseconds = LogicalType::timestamp(true, TimeUnit::MICROS);
                (Physical::INT64, Some(utc_microseconds))
            }
            Self::Word(_)
            | Self::MaybeWord(_)
            | Self::LoadName(_)
            | Self::MaybeLoadName(_)
            | Self::MaybeFeederName(_)
            | Self::LimitName(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = match self.shown() {
            (_, true) => Repetition::OPTIONAL,
            (_, false) => Repetition::REQUIRED,
        };
        let column = Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_converted_type(ConvertedType::NONE)
            .build()?;
        Ok(Arc::new(column))
    }

    /// The words a column of names can hold, where the site says them.
    fn labels(&self, site: &Site) -> Vec<ByteArray> {
        let names: Vec<String> = match self {
            Self::LoadName(_) | Self::MaybeLoadName(_) => {
                site.loads.iter().map(|load| load.name.clone()).collect()
            }
            Self::MaybeFeederName(_) => {
                site.feeders.iter().map(|feeder| feeder.name.clone()).collect()
            }
            Self::LimitName(_) => {
                ["import".to_owned(), "export".to_owned(), "best effort".to_owned()]
                    .into_iter()
                    .chain(site.feeders.iter().map(|f| format!("feeder {}", f.name)))
                    .collect()
            }
            Self::Whole(_)
            | Self::MaybeWhole(_)
            | Self::Instant(_)
            | Self::MaybeInstant(_)
            | Self::Word(_)
            | Self::MaybeWord(_) => Vec::new(),
        };
        names.iter().map(|name| name.as_str().into()).collect()
    }
}

impl Waiting {
    fn maybe(&mut self, value: Option<i64>) {
        self.present.push(i16::from(value.is_some()));
        self.whole.extend(value);
    }

    fn word(&mut self, word: &'static str) {
        // A word is a constant of the program: the same place, the same word.
        let known = self.known.iter().position(|known| std::ptr::eq(*known, word));
        let place = known.unwrap_or_else(|| {
            self.known.push(word);
            self.labels.push(word.into());
            self.known.len() - 1
        });
        self.words.push(place as u16);
    }

    fn clear(&mut self) {
        self.whole.clear();
        self.words.clear();
        self.present.clear();
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_unix_seconds() * 1_000_000
}

impl<S: Subject> Table<S> {
    /// An empty table of `columns`, whose names of loads and limits are `site`'s.
    pub(super) fn create(
        file: File,
        columns: &'static [Column<S>],
        site: &Site,
    ) -> Result<Self> {
        let fields = columns
            .iter()
            .map(|column| column.values.schema(column.name))
            .collect::<Result<Vec<_>>>()?;
        let schema = Type::group_type_builder("row").with_fields(fields).build()?;
        let said = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by(concat!("mw ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![
                said("mw.format", super::FORMAT.to_string()),
                said("mw.site", site.name.clone()),
                said("mw.pool_fee_ppm", site.pool_fee.as_ppm().to_string()),
            ]));
        for column in columns {
            let (name, words) = (column.name.into(), column.values.shown().0 == "STRING");
            properties = if words {
                // The least and the greatest of a few words serve nobody, and
                // cost a comparison a row.
                properties.set_column_statistics_enabled(name, EnabledStatistics::None)
            } else {
                // Whole numbers of a run repeat too seldom for a dictionary to
                // be worth its hashing.
                properties.set_column_dictionary_enabled(name, false).set_column_encoding(
                    column.name.into(),
                    Encoding::DELTA_BINARY_PACKED,
                )
            };
        }
        let waiting = columns
            .iter()
            .map(|column| Waiting {
                whole: Vec::new(),
                words: Vec::new(),
                labels: column.values.labels(site),
                known: Vec::new(),
                present: Vec::new(),
            })
            .collect();
        Ok(Self {
            columns,
            waiting,
            rows: 0,
            file: SerializedFileWriter::new(
                file,
                Arc::new(schema),
                Arc::new(properties.build()),
            )?,
            scratch: Vec::new(),
        })
    }

    /// Takes in rows, and writes a row group when enough wait.
    ///
    /// Goes column by column, so that a column's kind is asked once and not
    /// for each row.
    pub(super) fn push(&mut self, rows: &[S::Row<'_>]) -> Result<()> {
        for (column, waiting) in self.columns.iter().zip(&mut self.waiting) {
            match &column.values {
                Values::Whole(value) => waiting.whole.extend(rows.iter().map(value)),
                Values::MaybeWhole(value) => {
                    rows.iter().for_each(|row| waiting.maybe(value(row)));
                }
                Values::Instant(value) => {
                    waiting.whole.extend(rows.iter().map(|row| micros(value(row))));
                }
                Values::MaybeInstant(value) => {
                    rows.iter().for_each(|row| waiting.maybe(value(row).map(micros)));
                }
                Values::Word(value) => {
                    rows.iter().for_each(|row| waiting.word(value(row)));
                }
                Values::MaybeWord(value) => {
                    for word in rows.iter().map(value) {
                        waiting.present.push(i16::from(word.is_some()));
                        if let Some(word) = word {
                            waiting.word(word);
                        }
                    }
                }
                Values::LoadName(value) => {
                    waiting.words.extend(rows.iter().map(|row| value(row) as u16));
                }
                Values::MaybeLoadName(value) | Values::MaybeFeederName(value) => {
                    for place in rows.iter().map(value) {
                        waiting.present.push(i16::from(place.is_some()));
                        waiting.words.extend(place.map(|place| place as u16));
                    }
                }
                Values::LimitName(value) => {
                    for limit in rows.iter().map(value) {
                        waiting.present.push(i16::from(limit.is_some()));
                        waiting.words.extend(limit.map(|limit| match limit {
                            Limit::Import => 0,
                            Limit::Export => 1,
                            Limit::BestEffort => 2,
                            Limit::Feeder(ix) => 3 + ix as u16,
                        }));
                    }
                }
            }
        }
        self.rows += rows.len();
        if self.rows >= GROUP_ROWS {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for (column, waiting) in self.columns.iter().zip(&mut self.waiting) {
            let present = column.values.shown().1.then_some(waiting.present.as_slice());
            let mut writer =
                group.next_column()?.expect("the schema was made from the same columns");
            match &column.values {
                Values::Whole(_)
                | Values::MaybeWhole(_)
                | Values::Instant(_)
                | Values::MaybeInstant(_) => {
                    let typed = writer.typed::<Int64Type>();
                    typed.write_batch(&waiting.whole, present, None)?;
                }
                Values::Word(_)
                | Values::MaybeWord(_)
                | Values::LoadName(_)
                | Values::MaybeLoadName(_)
                | Values::MaybeFeederName(_)
                | Values::LimitName(_) => {
                    let labels = &waiting.labels;
                    self.scratch.clear();
                    self.scratch.extend(
                        waiting.words.iter().map(|at| labels[*at as usize].clone()),
                    );
                    let typed = writer.typed::<ByteArrayType>();
                    typed.write_batch(&self.scratch, present, None)?;
                }
            }
            writer.close()?;
            waiting.clear();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    /// Writes what waits and closes the file.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.file.close()?;
        Ok(())
    }
}
