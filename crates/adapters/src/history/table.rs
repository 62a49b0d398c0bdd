//! A CSV file as rows of the fields its header promises.
//!
//! Tolerates a byte-order mark, either line ending and `;` as separator. Rows
//! that do not fit the header are noted and skipped.

use csv::ByteRecord;

use super::draft::Draft;
use super::note::NoteKind;

/// The names of a file's columns, in any case and order.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    written: Vec<String>,
    plain: Vec<String>,
}

/// One file's rows.
pub(crate) struct Table<'a> {
    pub(crate) header: Header,
    reader: csv::Reader<&'a [u8]>,
    record: ByteRecord,
    bytes: &'a [u8],
    /// A byte of the file and the line it lies on, from 1.
    counted: (usize, u64),
}

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    /// The line in the file, from 1.
    pub(crate) line: u64,
    record: &'a ByteRecord,
}

impl Header {
    fn new(names: impl Iterator<Item = String>) -> Self {
        let written: Vec<String> = names.collect();
        let plain = written.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        Self { written, plain }
    }

    /// The place of the column of one of these names, in lower case.
    pub(crate) fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.plain.iter().position(|column| column == name))
    }

    /// Whether all of these columns are there, in lower case.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.find(&[name]).is_some())
    }

    /// The place of a column that the layout was recognised by.
    pub(crate) fn place(&self, names: &[&str]) -> usize {
        self.find(names).expect("the layout was recognised by this column")
    }

    /// A column's name as written.
    pub(crate) fn name(&self, place: usize) -> &str {
        self.written[place].trim()
    }

    /// Every column's name as written.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(|name| name.trim())
    }
}

/// Why bytes are not a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotATable {
    /// There is nothing in the file.
    Empty,
    /// It is UTF-16, by its byte-order mark.
    Utf16,
    /// It is not UTF-8.
    NotUtf8,
}

impl<'a> Table<'a> {
    /// Opens the bytes of a file.
    pub(crate) fn open(bytes: &'a [u8], draft: &mut Draft) -> Result<Self, NotATable> {
        if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
            return Err(NotATable::Utf16);
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Err(NotATable::Empty);
        }
        if std::str::from_utf8(bytes).is_err() {
            return Err(NotATable::NotUtf8);
        }
        let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let semicolons = !first_line.contains(&b',') && first_line.contains(&b';');
        if semicolons {
            draft.note(
                NoteKind::Delimiter,
                Some(1),
                None,
                "fields are separated by `;`".to_owned(),
                "read so; numbers need a decimal point".to_owned(),
            );
        }
        // One stray quote would swallow every line up to the next one.
        let stray = stray_quote(bytes);
        if let Some(line) = stray {
            draft.note(
                NoteKind::Delimiter,
                Some(line),
                None,
                "a quote that is not closed on its line".to_owned(),
                "quotes in this file are read as plain text".to_owned(),
            );
        }
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .delimiter(if semicolons { b';' } else { b',' })
            .quoting(stray.is_none())
            .from_reader(bytes);
        let header = match reader.headers() {
            Ok(names) => Header::new(names.iter().map(str::to_owned)),
            Err(_) => return Err(NotATable::NotUtf8),
        };
        Ok(Self { header, reader, record: ByteRecord::new(), bytes, counted: (0, 1) })
    }

    /// The next row with as many fields as the header.
    pub(crate) fn next(&mut self, draft: &mut Draft) -> Option<Row<'_>> {
        loop {
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) => (),
                Ok(false) | Err(_) => return None,
            }
            let line = self.line();
            draft.rows += 1;
            let (found, expected) = (self.record.len(), self.header.written.len());
            if found == expected {
                return Some(Row { line, record: &self.record });
            }
            let (kind, message) = if found < expected && self.ends_open() {
                let message = format!("the file ends after {found} of {expected} fields");
                (NoteKind::PartialLastRow, message)
            } else {
                let message = format!("{found} fields, the header has {expected}");
                (NoteKind::WrongFieldCount, message)
            };
            draft.note(kind, Some(line), None, message, "row skipped".to_owned());
        }
    }

    /// The line on which the record just read starts.
    ///
    /// Counted here because the reader's own count is a line behind in files
    /// with CRLF.
    fn line(&mut self) -> u64 {
        let start = self.record.position().map_or(0, csv::Position::byte);
        let start =
            usize::try_from(start).unwrap_or(self.bytes.len()).min(self.bytes.len());
        let ends = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
        let start = start + self.bytes[start..].iter().take_while(ends).count();
        let between = &self.bytes[self.counted.0..start];
        let lines = between.iter().filter(|byte| **byte == b'\n').count();
        self.counted = (start, self.counted.1 + lines as u64);
        self.counted.1
    }

    /// Whether the record just read is the last and its line is not ended.
    fn ends_open(&self) -> bool {
        let end = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        end >= self.bytes.len() && self.bytes.last() != Some(&b'\n')
    }
}

impl<'a> Row<'a> {
    /// A field without the blanks around it.
    pub(crate) fn field(self, place: usize) -> &'a [u8] {
        let cell = self.record.get(place).unwrap_or_default().trim_ascii();
        match cell {
            [b'"', inner @ .., b'"'] => inner.trim_ascii(),
            _ => cell,
        }
    }

    /// A field as text.
    pub(crate) fn text(self, place: usize) -> &'a str {
        std::str::from_utf8(self.field(place)).expect("the file was checked to be UTF-8")
    }
}

/// The first line, from 1, with an odd number of quotes.
fn stray_quote(bytes: &[u8]) -> Option<u64> {
    if !bytes.contains(&b'"') {
        return None;
    }
    let odd = |line: &[u8]| line.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
    let at = bytes.split(|byte| *byte == b'\n').position(odd)?;
    u64::try_from(at + 1).ok()
}
