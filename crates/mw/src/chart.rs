//! Marks on paper: scales, ticks and the shapes that the templates write as SVG.

use askama::Template;
use units::{Interval, Seconds, Timestamp};

/// A drawing: what stands still, and panels that zoom together.
#[derive(Template)]
#[template(path = "figure.html")]
pub(crate) struct Figure {
    /// The name the script finds it by.
    pub(crate) id: &'static str,
    /// What it shows, for a reader who cannot see it.
    pub(crate) label: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Axes and text behind the panels.
    pub(crate) marks: Vec<Mark>,
    pub(crate) panels: Vec<Panel>,
}

/// A part of a drawing with its own edges; what lies outside is cut off.
pub(crate) struct Panel {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// In the panel's own places, from its upper left corner.
    pub(crate) marks: Vec<Mark>,
}

/// A shape. `class` names its look in the style sheet.
pub(crate) enum Mark {
    Line {
        class: &'static str,
        from: Place,
        to: Place,
    },
    Path {
        class: &'static str,
        shape: String,
    },
    Box {
        class: &'static str,
        at: Place,
        width: f64,
        height: f64,
        /// What it stands for, shown under the pointer; may be empty.
        hint: String,
    },
    Dot {
        class: &'static str,
        at: Place,
        hint: String,
    },
    Text {
        class: &'static str,
        at: Place,
        text: String,
    },
}

/// A place on paper, from the left and from the top.
#[derive(Clone, Copy)]
pub(crate) struct Place(pub(crate) f64, pub(crate) f64);

/// A place to the tenth, as SVG writes it.
pub(crate) fn tenth(place: &f64) -> String {
    let text = format!("{place:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Puts a line between two places.
pub(crate) fn line(class: &'static str, from: (f64, f64), to: (f64, f64)) -> Mark {
    Mark::Line { class, from: Place(from.0, from.1), to: Place(to.0, to.1) }
}

/// Puts text at a place.
pub(crate) fn text(class: &'static str, at: (f64, f64), text: impl Into<String>) -> Mark {
    Mark::Text { class, at: Place(at.0, at.1), text: text.into() }
}

/// A path in the making.
#[derive(Default)]
pub(crate) struct Pen(String);

impl Pen {
    pub(crate) fn go(&mut self, x: f64, y: f64) {
        self.put('M', x, y);
    }

    pub(crate) fn draw(&mut self, x: f64, y: f64) {
        self.put('L', x, y);
    }

    pub(crate) fn close(&mut self) {
        self.0.push('Z');
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn mark(self, class: &'static str) -> Mark {
        Mark::Path { class, shape: self.0 }
    }

    fn put(&mut self, letter: char, x: f64, y: f64) {
        self.0.push(letter);
        self.0.push_str(&tenth(&x));
        self.0.push(' ');
        self.0.push_str(&tenth(&y));
    }
}

/// The shapes of a stack: one for each row of `sizes`, from the foot up, over steps
/// with these edges. What is negative stacks downwards.
pub(crate) fn stack(
    edges: &[(f64, f64)],
    sizes: &[Vec<f64>],
    scale: &Linear,
) -> Vec<Pen> {
    let mut pens: Vec<Pen> = sizes.iter().map(|_| Pen::default()).collect();
    for sign in [1.0, -1.0] {
        let mut foot = vec![0.0; edges.len()];
        for (pen, sizes) in pens.iter_mut().zip(sizes) {
            let steps: Vec<(f64, f64, f64, f64)> = edges
                .iter()
                .zip(sizes)
                .zip(&mut foot)
                .map(|(((left, right), size), foot)| {
                    let (under, size) = (*foot, (size * sign).max(0.0));
                    *foot += size;
                    (*left, *right, under, under + size)
                })
                .collect();
            // One closed shape for each stretch of steps that have some.
            for run in steps.split(|(_, _, under, top)| top <= under) {
                let Some((left, _, under, _)) = run.first() else { continue };
                pen.go(*left, scale.at(under * sign));
                for (left, right, _, top) in run {
                    pen.draw(*left, scale.at(top * sign));
                    pen.draw(*right, scale.at(top * sign));
                }
                for (left, right, under, _) in run.iter().rev() {
                    pen.draw(*right, scale.at(under * sign));
                    pen.draw(*left, scale.at(under * sign));
                }
                pen.close();
            }
        }
    }
    pens
}

/// Even steps from values to places.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    low: f64,
    high: f64,
    /// The place of `low` and that of `high`.
    to: (f64, f64),
}

impl Linear {
    pub(crate) fn new(low: f64, high: f64, to: (f64, f64)) -> Self {
        // A scale of nothing still needs a length.
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, to }
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low);
        self.to.0 + part * (self.to.1 - self.to.0)
    }

    /// Round values, about `count` of them, and how many digits each needs.
    pub(crate) fn ticks(&self, count: f64) -> (Vec<f64>, usize) {
        let rough = (self.high - self.low) / count;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|times| times * decade)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(10.0 * decade);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        let digits = (0..6)
            .find(|digits| {
                let scaled = step * 10_f64.powi(*digits);
                (scaled - scaled.round()).abs() < 1e-6
            })
            .unwrap_or(0) as usize;
        ((first..=last).map(|n| n as f64 * step).collect(), digits)
    }
}

/// Places of prices: even up to 20 USD/MWh either side of nothing, by factors beyond.
#[derive(Clone, Copy)]
pub(crate) struct Prices {
    linear: Linear,
}

/// Up to here a price scale is nearly even, in USD/MWh.
pub(crate) const EVEN_UP_TO: f64 = 20.0;

/// Prices a scale may name, in USD/MWh.
const PRICE_TICKS: [f64; 21] = [
    -5_000.0, -2_000.0, -1_000.0, -500.0, -200.0, -100.0, -50.0, -20.0, 0.0, 20.0, 50.0,
    100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0,
    100_000.0,
];

impl Prices {
    pub(crate) fn new(low: f64, high: f64, to: (f64, f64)) -> Self {
        Self { linear: Linear::new(bend(low.min(0.0)), bend(high.max(EVEN_UP_TO)), to) }
    }

    pub(crate) fn at(&self, price: f64) -> f64 {
        self.linear.at(bend(price))
    }

    /// Prices to name, none nearer than `apart` to the next; zero always.
    pub(crate) fn ticks(&self, apart: f64) -> Vec<f64> {
        let within = |price: &&f64| {
            let bent = bend(**price);
            self.linear.low - 1e-9 <= bent && bent <= self.linear.high + 1e-9
        };
        let mut kept: Vec<f64> = vec![0.0];
        for price in PRICE_TICKS.iter().filter(within) {
            if kept.iter().all(|other| (self.at(*other) - self.at(*price)).abs() >= apart)
            {
                kept.push(*price);
            }
        }
        kept
    }
}

fn bend(price: f64) -> f64 {
    price.signum() * (1.0 + price.abs() / EVEN_UP_TO).log10()
}

/// Places of instants.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    linear: Linear,
    range: Interval,
}

impl Time {
    pub(crate) fn new(range: Interval, to: (f64, f64)) -> Self {
        let seconds = range.duration().as_seconds() as f64;
        Self { linear: Linear::new(0.0, seconds, to), range }
    }

    pub(crate) fn at(&self, at: Timestamp) -> f64 {
        self.linear.at((at - self.range.start).as_seconds() as f64)
    }

    /// Instants to name, about a dozen at most, with their names.
    pub(crate) fn ticks(&self) -> Vec<(Timestamp, String)> {
        const DAY: i64 = 86_400;
        let seconds = self.range.duration().as_seconds();
        let steps = [3_600, 10_800, 21_600, DAY, 2 * DAY, 5 * DAY];
        match steps.into_iter().find(|step| seconds / step <= 13) {
            Some(step) => {
                let step = Seconds::from_seconds(step);
                let mut at =
                    (self.range.start - Seconds::from_seconds(1)).floor(step) + step;
                let mut ticks = Vec::new();
                while at < self.range.end {
                    let text = at.to_string();
                    let midnight = at.floor(Seconds::from_seconds(DAY)) == at;
                    let name = if midnight { &text[..10] } else { &text[11..16] };
                    ticks.push((at, name.to_owned()));
                    at = at + step;
                }
                ticks
            }
            None => self.month_ticks(),
        }
    }

    fn month_ticks(&self) -> Vec<(Timestamp, String)> {
        let (first_year, first_month, _) = self.range.start.utc_date();
        let (last_year, last_month, _) = self.range.end.utc_date();
        let number = |year: i16, month: i8| i32::from(year) * 12 + i32::from(month) - 1;
        let (first, last) =
            (number(first_year, first_month), number(last_year, last_month));
        let step = [1, 3, 6, 12]
            .into_iter()
            .find(|step| (last - first) / step <= 16)
            .unwrap_or(24);
        (first..=last)
            .filter(|month| month % step == 0)
            .filter_map(|month| {
                let name = format!("{:04}-{:02}", month / 12, month % 12 + 1);
                let at = Timestamp::parse(&format!("{name}-01")).ok()?;
                (self.range.contains(at)).then_some((at, name))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_names_round_values() {
        let (ticks, digits) = Linear::new(0.0, 753.0, (0.0, 1.0)).ticks(5.0);
        assert_eq!((ticks, digits), (vec![0.0, 200.0, 400.0, 600.0], 0));
        let (ticks, digits) = Linear::new(-0.3, 0.9, (0.0, 1.0)).ticks(5.0);
        assert_eq!(ticks.len(), 5);
        assert_eq!(digits, 2);
    }

    #[test]
    fn a_price_scale_keeps_its_names_apart_and_shows_zero() {
        let prices = Prices::new(-30.0, 5_000.0, (300.0, 0.0));
        let ticks = prices.ticks(20.0);
        assert!(ticks.contains(&0.0) && ticks.contains(&5_000.0), "{ticks:?}");
        for (place, price) in ticks.iter().enumerate() {
            for other in &ticks[..place] {
                assert!((prices.at(*price) - prices.at(*other)).abs() >= 20.0);
            }
        }
    }

    #[test]
    fn time_is_named_by_hours_days_or_months() {
        let names = |start: &str, end: &str| {
            let range = Interval {
                start: Timestamp::parse(start).expect("an instant"),
                end: Timestamp::parse(end).expect("an instant"),
            };
            let ticks = Time::new(range, (0.0, 1.0)).ticks();
            let names: Vec<String> = ticks.into_iter().map(|(_, name)| name).collect();
            (names[0].clone(), names.len())
        };
        assert_eq!(names("2024-08-01T05:30Z", "2024-08-01T11:00Z"), ("06:00".into(), 5));
        assert_eq!(names("2024-08-01", "2024-08-08"), ("2024-08-01".into(), 7));
        assert_eq!(
            names("2024-01-01T06:00Z", "2025-01-01T06:00Z"),
            ("2024-02".into(), 12)
        );
        assert_eq!(names("2020-01-01", "2024-01-01"), ("2020-01".into(), 16));
    }
}
