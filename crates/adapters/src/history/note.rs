//! What was odd in a file, and what was done about it.

use serde::Serialize;

/// One odd thing, with its place and its treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The file; `None` for what concerns several.
    pub file: Option<String>,
    /// The line in the file, from 1; `None` for what concerns the whole file.
    pub row: Option<u64>,
    /// The settlement point, where it concerns one.
    pub point: Option<String>,
    /// What sort of thing it is; notes of one sort in a file print folded.
    pub kind: NoteKind,
    /// What was found.
    pub message: String,
    /// What was done about it.
    pub treatment: String,
}

/// The sorts of odd things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A file whose header matches no layout, or a file that is not text.
    NotRecognised,
    /// A folder, or a file that is not CSV.
    Ignored,
    /// Columns or rows that belong to the layout and are not used.
    LeftAlone,
    /// A separator or quoting other than the usual.
    Delimiter,
    /// A cell without a value.
    BlankCell,
    /// A cell with something that is not a value.
    UnreadableCell,
    /// A row with too many or too few fields.
    WrongFieldCount,
    /// A file that ends inside a row.
    PartialLastRow,
    /// Rows that are not in order of time.
    Disorder,
    /// A row that repeats another with the same value.
    RepeatedRow,
    /// A row that repeats another with a different value.
    CorrectedRow,
    /// A row that starts inside the one before it.
    OverlappingRow,
    /// Rows in which the order inside the repeated autumn hour was not certain.
    AmbiguousOrder,
    /// The repeated autumn hour, told apart by the order of its rows.
    RepeatedHour,
    /// A local hour that the clocks skip.
    SkippedHour,
    /// A price run that does not set the price.
    InterventionRun,
    /// A price beyond the market's cap or floor, kept.
    BeyondCap,
    /// A value that cannot be right, treated as missing.
    Quarantined,
    /// A stretch without values.
    Gap,
    /// A fact the file does not carry and that was taken from elsewhere.
    Assumed,
    /// Prices in another currency.
    Currency,
    /// Series of one point that overlap.
    Overlap,
    /// Settlement prices made from other prices.
    Derived,
    /// A figure of a bitcoin day made from others.
    BitcoinDerived,
}

impl std::fmt::Display for NoteKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::NotRecognised => "not recognised",
            Self::Ignored => "ignored",
            Self::LeftAlone => "left alone",
            Self::Delimiter => "separator",
            Self::BlankCell => "blank cell",
            Self::UnreadableCell => "unreadable cell",
            Self::WrongFieldCount => "field count",
            Self::PartialLastRow => "partial last row",
            Self::Disorder => "disorder",
            Self::RepeatedRow => "repeated row",
            Self::CorrectedRow => "corrected row",
            Self::OverlappingRow => "overlapping row",
            Self::AmbiguousOrder => "order not certain",
            Self::RepeatedHour => "repeated hour",
            Self::SkippedHour => "skipped hour",
            Self::InterventionRun => "intervention run",
            Self::BeyondCap => "beyond cap",
            Self::Quarantined => "quarantined",
            Self::Gap => "gap",
            Self::Assumed => "assumed",
            Self::Currency => "currency",
            Self::Overlap => "overlap",
            Self::Derived => "derived",
            Self::BitcoinDerived => "derived",
        })
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let Some(row) = self.row {
                write!(f, ":{row}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}; {}", self.message, self.treatment)
    }
}

/// A count with its noun: `1 row`, `2 rows`.
pub(crate) fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A length of time for people: `22 d 7 h`, `14 min 58 s`.
pub(crate) fn duration_text(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let mut rest = seconds.unsigned_abs();
    let mut parts = Vec::new();
    for (length, unit) in [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")] {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { format!("{sign}{}", parts.join(" ")) }
}

/// Notes of one sort in one file: the first few and how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoteGroup {
    /// The file; `None` for what concerns several.
    pub file: Option<String>,
    /// What sort.
    pub kind: NoteKind,
    /// How many.
    pub count: usize,
    /// The first of them, at most [`NoteGroup::SHOWN`].
    pub first: Vec<Note>,
}

impl NoteGroup {
    /// How many of a group are shown: enough to see a pattern, few enough to read.
    pub const SHOWN: usize = 5;
}

/// Folds notes by file and sort, in the order in which each was first met.
pub fn folded(notes: &[Note]) -> Vec<NoteGroup> {
    let mut groups: Vec<NoteGroup> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for note in notes {
        let place = *places.entry((&note.file, note.kind)).or_insert_with(|| {
            groups.push(NoteGroup {
                file: note.file.clone(),
                kind: note.kind,
                count: 0,
                first: Vec::new(),
            });
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.count += 1;
        if group.first.len() < NoteGroup::SHOWN {
            group.first.push(note.clone());
        }
    }
    groups
}
