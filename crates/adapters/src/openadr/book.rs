//! Events as they come, change and go, and what of it the engine is told.

use std::collections::{BTreeMap, BTreeSet};

use engine::site::ProgrammeIx;
use engine::{Ask, Instruction, Signal};
use serde_json::{Map, Value};
use units::{Interval, Seconds, Timestamp};

use super::event::{Context, Part, Reading, understand};
use super::report::{Due, wanted};
use crate::device::DeviceText;

/// What of a feed is known.
#[derive(Debug)]
pub struct Book {
    programme: ProgrammeIx,
    reading: Reading,
    /// By the VTN's id.
    events: BTreeMap<String, Known>,
    /// What the engine was told last, by name.
    told: BTreeMap<String, Told>,
    /// Events whose report was filed, or will not be.
    reported: BTreeSet<String>,
}

/// An event as it is known.
#[derive(Debug)]
struct Known {
    /// As it was read last, word for word.
    event: Map<String, Value>,
    /// The last version that was understood.
    parts: Vec<Part>,
    priority: u64,
    view: EventView,
}

#[derive(Debug)]
struct Told {
    ask: Ask,
    during: Interval,
    /// How many lists in a row did not have it.
    absent: u8,
}

/// What a person sees of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventView {
    /// The VTN's id.
    pub id: String,
    /// What the VTN calls it.
    pub name: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
    /// What it carries that nothing is done about.
    pub shown: Vec<String>,
    /// When it is about, where it asks anything.
    pub during: Option<Interval>,
    /// It had no end, or one that is too far away, and was given one.
    pub end_imposed: bool,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It asks something, and that holds.
    Acted,
    /// It asks nothing that the site does.
    Shown,
    /// An event of higher priority holds instead, for all of its time.
    Overruled,
    /// It is not used: why. What an earlier version of it asked holds on.
    Quarantined(String),
}

/// The longest id: with what is put around it, a name that the engine takes.
const ID_MAX: usize = 100;

/// What names of instructions begin with, so that none is taken for a person's.
const PREFIX: &str = "adr/";

/// What is further ahead is told when it comes nearer: the engine keeps a bounded
/// number of instructions.
const TOLD_AHEAD: Seconds = Seconds::hours(4);

/// How many lists in a row lack an event before it is taken for cancelled.
const ABSENT: u8 = 2;

/// The priority of an event that names none: below every other.
const LOWEST: u64 = u64::MAX;

impl Book {
    /// A book of one programme, which `before` was told under: what a run that goes on
    /// finds in its engine.
    pub fn new<'a>(
        programme: ProgrammeIx,
        reading: Reading,
        before: impl IntoIterator<Item = &'a Instruction>,
    ) -> Self {
        let is_ours = |one: &&Instruction| {
            one.programme == programme
                && one.name.starts_with(PREFIX)
                && one.ask != Ask::Withdraw
        };
        let before = before.into_iter().filter(is_ours);
        let told = before.map(|one| {
            let told = Told { ask: one.ask, during: one.during, absent: 0 };
            (one.name.clone(), told)
        });
        let (events, reported) = (BTreeMap::new(), BTreeSet::new());
        Self { programme, reading, events, told: told.collect(), reported }
    }

    /// Takes in a complete list of a program's events, and says what the engine has to
    /// hear: what is new, what changed, what ended early, and that the link lives.
    pub fn take(
        &mut self,
        events: &[Value],
        descriptors: &[Value],
        context: &Context,
    ) -> Vec<Signal> {
        let mut listed = BTreeSet::new();
        for event in events {
            if let Some(id) = self.read(event, descriptors, context) {
                listed.insert(id);
            }
        }
        self.events.retain(|id, _| listed.contains(id));
        self.reported.retain(|id| listed.contains(id));
        let holding = self.holding();
        for known in self.events.values_mut() {
            known.judge(&holding);
        }
        let mut signals = self.tell(&holding, &listed, context.now);
        signals.push(Signal::Heard(self.programme));
        signals
    }

    /// What is known of every event, in the order of ids.
    pub fn views(&self) -> impl Iterator<Item = &EventView> {
        self.events.values().map(|known| &known.view)
    }

    /// Whether anything asked holds now or within `ahead`.
    pub fn is_active(&self, now: Timestamp, ahead: Seconds) -> bool {
        let near =
            |told: &Told| told.during.start <= now + ahead && told.during.end > now;
        self.told.values().any(near)
    }

    /// Events that have ended, ask for a report that can be filed, and have none yet.
    pub(super) fn reports_due(&self, now: Timestamp) -> Vec<Due> {
        let due = self.events.iter().filter_map(|(id, known)| {
            let wanted = wanted(&known.event);
            let intervals: Vec<_> = known.parts.iter().map(|part| part.during).collect();
            let has_ended = intervals.iter().all(|during| during.end <= now);
            let is_due = has_ended && !wanted.is_empty() && !intervals.is_empty();
            let is_new = !self.reported.contains(id);
            (is_due && is_new).then(|| Due { event: id.clone(), wanted, intervals })
        });
        due.collect()
    }

    /// The report of an event was filed, or cannot be.
    pub(super) fn reported(&mut self, id: &str) {
        self.reported.insert(id.to_owned());
    }

    /// Reads one event; its id, where it has one.
    fn read(
        &mut self,
        event: &Value,
        descriptors: &[Value],
        context: &Context,
    ) -> Option<String> {
        let event = event.as_object()?;
        let id = event.get("id")?.as_str()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if id.is_empty() || id.len() > ID_MAX || !id.bytes().all(is_plain) {
            return None;
        }
        let before = self.events.remove(id);
        if let Some(before) = before.as_ref().filter(|before| before.event == *event) {
            let kept = Known { event: before.event.clone(), ..before.copied() };
            self.events.insert(id.to_owned(), kept);
            return Some(id.to_owned());
        }
        let name = event.get("eventName").and_then(Value::as_str);
        let understood = priority(event).and_then(|priority| {
            let understood = understand(event, descriptors, &self.reading, context)?;
            Ok((priority, understood))
        });
        let mut view = EventView {
            id: id.to_owned(),
            name: name.map(|name| DeviceText::of(name).to_string()),
            verdict: Verdict::Shown,
            shown: Vec::new(),
            during: None,
            end_imposed: false,
        };
        let known = match understood {
            Ok((priority, understood)) => {
                view.shown = understood.shown;
                view.end_imposed = understood.end_imposed;
                let parts = understood.parts;
                Known { event: event.clone(), parts, priority, view }
            }
            Err(why) => {
                view.verdict = Verdict::Quarantined(why);
                // What was understood before holds on: less is known, not more.
                let (parts, priority) =
                    before.map_or((Vec::new(), LOWEST), |one| (one.parts, one.priority));
                Known { event: event.clone(), parts, priority, view }
            }
        };
        self.events.insert(id.to_owned(), known);
        Some(id.to_owned())
    }

    /// What holds, by name: limits all, since the tightest wins in the engine; of what
    /// is drawn up to and of prices, the highest priority's.
    fn holding(&self) -> BTreeMap<String, (Ask, Interval)> {
        let mut by_priority: Vec<_> = self.events.iter().collect();
        by_priority.sort_by_key(|(id, known)| (known.priority, (*id).clone()));
        let mut taken: Vec<(Class, u64, Interval)> = Vec::new();
        let mut holding = BTreeMap::new();
        for (id, known) in by_priority {
            for part in &known.parts {
                let name = format!("{PREFIX}{id}/{}", part.number);
                let Some(class) = Class::of(part.ask) else {
                    holding.insert(name, (part.ask, part.during));
                    continue;
                };
                let over = taken
                    .iter()
                    .filter(|(of, above, _)| *of == class && *above < known.priority);
                let left = without(part.during, over.map(|(_, _, during)| *during));
                for (piece, during) in left.into_iter().enumerate() {
                    let name = match piece {
                        0 => name.clone(),
                        _ => format!("{name}+{piece}"),
                    };
                    holding.insert(name, (part.ask, during));
                }
                taken.push((class, known.priority, part.during));
            }
        }
        holding
    }

    /// What the engine was not told yet.
    fn tell(
        &mut self,
        holding: &BTreeMap<String, (Ask, Interval)>,
        listed: &BTreeSet<String>,
        now: Timestamp,
    ) -> Vec<Signal> {
        let programme = self.programme;
        let instruct = |name: &str, ask, during| {
            Signal::Instruction(Instruction {
                name: name.to_owned(),
                programme,
                ask,
                during,
                best_effort: false,
                known_at: now,
            })
        };
        let mut signals = Vec::new();
        for (name, (ask, during)) in holding {
            if let Some(told) = self.told.get_mut(name) {
                told.absent = 0;
                if told.ask == *ask && told.during == *during {
                    continue;
                }
            }
            let is_over = during.end <= now && *ask != Ask::Trip;
            if is_over || during.start > now + TOLD_AHEAD {
                continue;
            }
            signals.push(instruct(name, *ask, *during));
            let told = Told { ask: *ask, during: *during, absent: 0 };
            self.told.insert(name.clone(), told);
        }
        self.told.retain(|name, told| {
            if holding.contains_key(name) {
                return true;
            }
            // An event that is there and says less was changed; one that is not there
            // may have been left out of a list once.
            let id =
                name.trim_start_matches(PREFIX).split('/').next().unwrap_or_default();
            told.absent = if listed.contains(id) { ABSENT } else { told.absent + 1 };
            if told.absent < ABSENT {
                return true;
            }
            if told.during.end > now || told.ask == Ask::Trip {
                let during = Interval::starting(now, Seconds::from_seconds(1));
                signals.push(instruct(name, Ask::Withdraw, during));
            }
            false
        });
        signals
    }
}

impl Known {
    fn copied(&self) -> Self {
        Self {
            event: Map::new(),
            parts: self.parts.clone(),
            priority: self.priority,
            view: self.view.clone(),
        }
    }

    /// Says what became of it.
    fn judge(&mut self, holding: &BTreeMap<String, (Ask, Interval)>) {
        let starts = self.parts.iter().map(|part| part.during.start).min();
        let ends = self.parts.iter().map(|part| part.during.end).max();
        self.view.during = starts.zip(ends).map(|(start, end)| Interval { start, end });
        if matches!(self.view.verdict, Verdict::Quarantined(_)) {
            return;
        }
        let holds = |part: &Part| {
            holding.contains_key(&format!("{PREFIX}{}/{}", self.view.id, part.number))
        };
        self.view.verdict = match self.parts.iter().any(holds) {
            true => Verdict::Acted,
            false if self.parts.is_empty() => Verdict::Shown,
            false => Verdict::Overruled,
        };
    }
}

/// Of what only one can hold at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Dispatch,
    BasePoint,
    Price,
}

impl Class {
    fn of(ask: Ask) -> Option<Self> {
        match ask {
            Ask::DispatchTo(_) => Some(Self::Dispatch),
            Ask::BasePoint(_) => Some(Self::BasePoint),
            Ask::Price(_) => Some(Self::Price),
            Ask::Limit(_)
            | Ask::Arm(_)
            | Ask::Disarm
            | Ask::Trip
            | Ask::Restore
            | Ask::Test(_)
            | Ask::Withdraw => None,
        }
    }
}

fn priority(event: &Map<String, Value>) -> Result<u64, String> {
    match event.get("priority") {
        None | Some(Value::Null) => Ok(LOWEST),
        Some(value) => value.as_u64().ok_or_else(|| {
            let found = DeviceText::of(&value.to_string());
            format!("expected a priority from 0, found `{found}`")
        }),
    }
}

/// What is left of an interval without others.
fn without(whole: Interval, taken: impl Iterator<Item = Interval>) -> Vec<Interval> {
    let mut left = vec![whole];
    for out in taken {
        left = left
            .into_iter()
            .flat_map(|piece| {
                let before =
                    Interval { start: piece.start, end: piece.end.min(out.start) };
                let after = Interval { start: piece.start.max(out.end), end: piece.end };
                [before, after]
            })
            .filter(|piece| piece.end > piece.start)
            .collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openadr::event::PowerUnit;
    use proptest::prelude::*;
    use serde_json::json;
    use units::Power;

    const NOW: i64 = 1_780_000_000;

    fn book() -> Book {
        let reading =
            Reading { power_unit: Some(PowerUnit::Kilowatts), ..Reading::default() };
        Book::new(0, reading, [])
    }

    fn at(minute: i64) -> Context {
        Context {
            now: Timestamp::from_unix_seconds(NOW + minute * 60),
            draw: None,
            import_limit: Power::from_mw(40),
            longest: Seconds::hours(4),
        }
    }

    fn event(id: &str, kind: &str, value: Value, minutes: (i64, i64)) -> Value {
        let start = Timestamp::from_unix_seconds(NOW + minutes.0 * 60).to_string();
        let duration = format!("PT{}M", minutes.1 - minutes.0);
        json!({"id": id, "modificationDateTime": "x",
               "intervalPeriod": {"start": start, "duration": duration},
               "intervals": [{"id": 0, "payloads": [{"type": kind, "values": [value]}]}]})
    }

    /// What the engine hears, in minutes.
    fn heard(signals: &[Signal]) -> String {
        let minute = |at: Timestamp| (at.as_unix_seconds() - NOW) / 60;
        let said = signals.iter().filter_map(|signal| {
            let Signal::Instruction(told) = signal else {
                assert_eq!(signal, &Signal::Heard(0));
                return None;
            };
            let Instruction { name, ask, during, .. } = told;
            let (from, to) = (minute(during.start), minute(during.end));
            Some(format!("{name} {ask:?} {from}..{to}"))
        });
        said.collect::<Vec<_>>().join("; ")
    }

    const LIMIT: &str = "IMPORT_CAPACITY_LIMIT";
    const DISPATCH: &str = "DISPATCH_SETPOINT";

    #[test]
    fn what_is_told_again_is_not_told_again() {
        let mut book = book();
        let list = [event("a", LIMIT, json!(5000), (0, 60))];
        let first = book.take(&list, &[], &at(0));
        assert_eq!(heard(&first), "adr/a/0 Limit(5.000 MW) 0..60");
        assert_eq!(first.last(), Some(&Signal::Heard(0)));
        assert_eq!(book.take(&list, &[], &at(1)), [Signal::Heard(0)]);
        assert!(book.is_active(at(1).now, Seconds::ZERO));
        assert!(!book.is_active(at(61).now, Seconds::ZERO));
    }

    #[test]
    fn a_changed_event_takes_the_place_of_itself() {
        let mut book = book();
        book.take(&[event("a", LIMIT, json!(5000), (0, 60))], &[], &at(0));
        let changed = book.take(&[event("a", LIMIT, json!(3000), (0, 90))], &[], &at(1));
        assert_eq!(heard(&changed), "adr/a/0 Limit(3.000 MW) 0..90");
    }

    #[test]
    fn a_bad_version_leaves_the_good_one_in_force() {
        let mut book = book();
        book.take(&[event("a", LIMIT, json!(5000), (0, 60))], &[], &at(0));
        let bad = book.take(&[event("a", LIMIT, json!("none"), (0, 60))], &[], &at(1));
        assert_eq!(heard(&bad), "");
        let view = book.views().next().expect("a view");
        assert!(
            matches!(&view.verdict, Verdict::Quarantined(why) if why.contains("number"))
        );
        assert!(book.is_active(at(2).now, Seconds::ZERO));
        let gone = book.take(&[], &[], &at(3));
        assert_eq!(heard(&gone), "");
        assert_eq!(heard(&book.take(&[], &[], &at(4))), "adr/a/0 Withdraw 4..4");
    }

    #[test]
    fn an_event_is_cancelled_when_two_lists_lack_it() {
        let mut book = book();
        let list = [event("a", LIMIT, json!(5000), (0, 60))];
        book.take(&list, &[], &at(0));
        assert_eq!(heard(&book.take(&[], &[], &at(1))), "");
        assert_eq!(heard(&book.take(&list, &[], &at(2))), "");
        assert_eq!(heard(&book.take(&[], &[], &at(3))), "");
        assert_eq!(heard(&book.take(&[], &[], &at(4))), "adr/a/0 Withdraw 4..4");
        assert_eq!(heard(&book.take(&[], &[], &at(5))), "");
        // What is over needs no withdrawal.
        book.take(&list, &[], &at(6));
        book.take(&[], &[], &at(61));
        assert_eq!(heard(&book.take(&[], &[], &at(62))), "");
    }

    #[test]
    fn a_run_that_goes_on_withdraws_what_went_meanwhile() {
        let told = Instruction {
            name: "adr/a/0".to_owned(),
            programme: 0,
            ask: Ask::Limit(Power::from_mw(5)),
            during: Interval::starting(at(0).now, Seconds::hours(1)),
            best_effort: false,
            known_at: at(0).now,
        };
        let by_telephone = Instruction { name: "call".to_owned(), ..told.clone() };
        let mut book = Book::new(0, Reading::default(), [&told, &by_telephone]);
        assert_eq!(heard(&book.take(&[], &[], &at(1))), "");
        assert_eq!(heard(&book.take(&[], &[], &at(2))), "adr/a/0 Withdraw 2..2");
    }

    #[test]
    fn higher_priority_is_drawn_up_to_and_every_limit_holds() {
        let mut book = book();
        let mut high = event("high", DISPATCH, json!(20000), (10, 20));
        high["priority"] = json!(0);
        let mut low = event("low", DISPATCH, json!(30000), (0, 60));
        low["priority"] = json!(5);
        let mut loose = event("loose", LIMIT, json!(38000), (0, 60));
        loose["priority"] = json!(0);
        let tight = event("tight", LIMIT, json!(25000), (0, 60));
        let mut under = event("under", DISPATCH, json!(35000), (12, 18));
        under["priority"] = json!(7);
        let list = [high.clone(), low.clone(), loose, tight, under];
        assert_eq!(
            heard(&book.take(&list, &[], &at(0))),
            "adr/high/0 DispatchTo(20.000 MW) 10..20; \
             adr/loose/0 Limit(38.000 MW) 0..60; \
             adr/low/0 DispatchTo(30.000 MW) 0..10; \
             adr/low/0+1 DispatchTo(30.000 MW) 20..60; \
             adr/tight/0 Limit(25.000 MW) 0..60"
        );
        let verdict = |book: &Book, id: &str| {
            let view = book.views().find(|view| view.id == id).expect("a view");
            view.verdict.clone()
        };
        assert_eq!(verdict(&book, "under"), Verdict::Overruled);
        assert_eq!(verdict(&book, "low"), Verdict::Acted);
    }

    #[test]
    fn what_is_far_ahead_is_told_when_it_comes_near() {
        let mut book = book();
        let list = [event("a", LIMIT, json!(5000), (600, 660))];
        assert_eq!(heard(&book.take(&list, &[], &at(0))), "");
        let told = "adr/a/0 Limit(5.000 MW) 600..660";
        assert_eq!(heard(&book.take(&list, &[], &at(400))), told);
    }

    /// Any JSON, three levels deep.
    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-50_000_i64..500_000).prop_map(Value::from),
            "[A-Z0-9:.PTYMDHS-]{0,12}".prop_map(Value::from),
            Just(Value::from("0001-01-01T00:00:00Z")),
            Just(Value::from("P9999Y")),
            Just(Value::from("PT1H")),
            Just(Value::from("IMPORT_CAPACITY_LIMIT")),
            Just(Value::from("DISPATCH_SETPOINT_RELATIVE")),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let key = prop_oneof![
                Just("start"),
                Just("duration"),
                Just("payloads"),
                Just("type"),
                Just("values"),
                Just("intervalPeriod"),
                Just("units"),
                Just("x"),
            ];
            let key = key.prop_map(str::to_owned);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    const PLACES: [&str; 10] = [
        "/priority",
        "/duration",
        "/intervalPeriod",
        "/intervalPeriod/start",
        "/intervalPeriod/duration",
        "/intervals",
        "/intervals/0",
        "/intervals/0/payloads",
        "/intervals/0/payloads/0/type",
        "/intervals/0/payloads/0/values/0",
    ];

    proptest! {
        /// Whatever stands in an event: what is not understood changes nothing of what
        /// holds, and what is has an end and a level that can be.
        #[test]
        fn no_json_relaxes_a_limit_or_asks_what_cannot_be(
            kind in prop_oneof![Just(LIMIT), Just(DISPATCH), Just("PRICE")],
            place in prop::sample::select(PLACES.to_vec()),
            junk in anything(),
        ) {
            let mut book = book();
            let good = event("a", LIMIT, json!(5000), (0, 60));
            book.take(std::slice::from_ref(&good), &[], &at(0));
            let mut bad = event("a", kind, json!(7000), (0, 60));
            bad["priority"] = json!(3);
            bad["duration"] = json!("PT1H");
            *bad.pointer_mut(place).expect("a place") = junk;
            let context = at(1);
            let signals = book.take(std::slice::from_ref(&bad), &[], &context);
            let view = book.views().next().expect("a view");
            if matches!(view.verdict, Verdict::Quarantined(_)) {
                prop_assert_eq!(&signals, &[Signal::Heard(0)]);
            }
            for signal in &signals {
                let Signal::Instruction(told) = signal else { continue };
                if let Some(level) = told.ask.level() {
                    prop_assert!(level >= Power::ZERO);
                    prop_assert!(level <= context.import_limit.times(10));
                    prop_assert!(told.during.end > told.during.start);
                    prop_assert!(told.during.duration() <= context.longest);
                }
            }
        }
    }

    #[test]
    fn an_id_that_no_vtn_gives_is_no_event() {
        let mut book = book();
        for id in ["", "a b", "a/../b", "\u{1b}[31m", &"x".repeat(101)] {
            let list = [event(id, LIMIT, json!(5000), (0, 60))];
            assert_eq!(heard(&book.take(&list, &[], &at(0))), "", "{id}");
        }
        assert_eq!(heard(&book.take(&[json!(1), json!({"id": 7})], &[], &at(0))), "");
    }
}
