//! Stored energy couples intervals: cost as a convex function of what is held.
//!
//! One interval turns into a convex function of the energy gained in it, by
//! walking the battery from full discharge to full charge along the cheapest
//! way. What it costs to arrive at a stored energy is the infimal convolution of
//! what it cost to be at one an interval before with that function: of two
//! convex functions kept as slopes in rising order, the convolution is the merge
//! of the two lists. What cannot be held is cut off at both ends.

use super::stage::Source;

/// A slope and how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// What a further MWh costs, USD/MWh.
    pub(super) slope: f64,
    /// For how many MWh.
    pub(super) width: f64,
}

/// What a battery can do in one interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    /// The most it takes in, MW.
    pub(super) charge: f64,
    /// The most it gives back, MW.
    pub(super) discharge: f64,
    /// What part of what is drawn is stored.
    pub(super) into: f64,
    /// What part of what is stored comes back.
    pub(super) out_of: f64,
    /// USD per MWh given back.
    pub(super) wear: f64,
    /// The length of the interval.
    pub(super) hours: f64,
    /// What part of a MWh stored a round trip loses, in MWh at the meter.
    lost: f64,
    /// Below this price of stored energy, and the price of power that goes with
    /// it, taking in and giving back at once pays: losses then earn.
    burn: (f64, f64),
}

/// A stretch of the way from full discharge to full charge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// What the MWh gained on it cost.
    pub(super) piece: Piece,
    /// MW by which charge changes along it.
    pub(super) charge: f64,
    /// MW by which discharge changes along it.
    pub(super) discharge: f64,
}

impl Reach {
    /// Of a store that loses and wears so much; its power is 0 until it is set.
    pub(super) fn of(into: f64, out_of: f64, wear: f64, hours: f64) -> Self {
        let lost = 1.0 / out_of - into;
        let burn = if lost <= LOSSLESS {
            (f64::NEG_INFINITY, f64::NEG_INFINITY)
        } else {
            let stored = if wear == 0.0 { 0.0 } else { -wear / lost };
            (stored, stored * into)
        };
        Self { charge: 0.0, discharge: 0.0, into, out_of, wear, hours, lost, burn }
    }

    /// Whether power is nowhere so cheap that losses pay: beyond what is burnt at
    /// the least net draw, the way then never takes in and gives back at once.
    #[inline]
    pub(super) fn is_plain(&self, sources: &[Source]) -> bool {
        sources.first().is_none_or(|source| source.cost >= self.burn.1)
    }

    /// Charge and discharge where so much is gained, on a way that is plain.
    /// Nothing where both are done at once.
    #[inline]
    pub(super) fn plain_at(&self, least: f64, gained: f64) -> Option<(f64, f64)> {
        let (charge, discharge) = self.start(least);
        let both = charge.min(discharge);
        if both > 0.0 {
            let until = self.gained(charge - both, discharge - both);
            if gained < until {
                return None;
            }
        }
        if gained.abs() < CRUMB * 1e-2 {
            return Some((0.0, 0.0));
        }
        Some(if gained > 0.0 {
            ((gained / (self.hours * self.into)).min(self.charge), 0.0)
        } else {
            (0.0, (-gained * self.out_of / self.hours).min(self.discharge))
        })
    }

    /// The pieces of a way that is plain.
    #[inline]
    pub(super) fn plain_gains(
        &self,
        least: f64,
        sources: &[Source],
        gains: &mut Vec<Piece>,
    ) {
        let (charge, mut discharge) = self.start(least);
        let both = charge.min(discharge);
        let mut push = |slope: f64, width: f64| {
            if width > CRUMB {
                gains.push(Piece { slope, width });
            }
        };
        push(self.burn.0, both * self.hours * self.lost);
        discharge -= both;
        let mut room = self.charge - (charge - both);
        let (up, down) = (self.hours * self.into, self.hours / self.out_of);
        let per_into = 1.0 / self.into;
        for source in sources {
            let lower = source.width.min(discharge);
            discharge -= lower;
            push((source.cost - self.wear) * self.out_of, lower * down);
            let raise = (source.width - lower).min(room);
            room -= raise;
            push(source.cost * per_into, raise * up);
        }
    }

    /// Where the way begins: charge and discharge at the least net draw.
    pub(super) fn start(&self, least: f64) -> (f64, f64) {
        if self.lost <= LOSSLESS {
            // Without losses, doing both at once gains nothing.
            return (least.max(0.0), (-least).max(0.0));
        }
        let discharge = self.discharge.min(self.charge - least).max(0.0);
        ((discharge + least).max(0.0), discharge)
    }

    /// What is gained where the way begins, MWh.
    pub(super) fn least_gained(&self, least: f64) -> f64 {
        let (charge, discharge) = self.start(least);
        self.gained(charge, discharge)
    }

    /// What charge and discharge add to what is held, MWh.
    #[inline]
    pub(super) fn gained(&self, charge: f64, discharge: f64) -> f64 {
        self.hours * (self.into * charge - discharge / self.out_of)
    }

    /// Walks the cheapest way from the least gained to the most; `visit` says
    /// whether to go on.
    ///
    /// While power is cheap enough that losses pay, charge rises first; at the
    /// price where they stop to pay, charge and discharge fall together; from
    /// there discharge falls before charge rises.
    #[inline]
    pub(super) fn walk(
        &self,
        least: f64,
        sources: &[Source],
        mut visit: impl FnMut(Stretch) -> bool,
    ) {
        let (burn_stored, burn_power) = self.burn;
        let (mut charge, mut discharge) = self.start(least);
        let up = |cost: f64, mw: f64| Piece {
            slope: cost / self.into,
            width: self.hours * self.into * mw,
        };
        let down = |cost: f64, mw: f64| Piece {
            slope: (cost - self.wear) * self.out_of,
            width: self.hours * mw / self.out_of,
        };
        let mut burnt = charge <= 0.0 && burn_power == f64::NEG_INFINITY;
        for source in sources {
            let mut left = source.width;
            let cheap = source.cost < burn_power;
            if !cheap && !burnt {
                burnt = true;
                let both = charge.min(discharge);
                if both > 0.0 {
                    charge -= both;
                    discharge -= both;
                    let width = both * self.hours * self.lost;
                    let piece = Piece { slope: burn_stored, width };
                    let (charge, discharge) = (-both, -both);
                    if width > 0.0 && !visit(Stretch { piece, charge, discharge }) {
                        return;
                    }
                }
            }
            for turn in 0..2 {
                let raise = cheap == (turn == 0);
                let room = if raise { self.charge - charge } else { discharge };
                let mw = left.min(room);
                if mw <= 0.0 {
                    continue;
                }
                left -= mw;
                let (piece, step) = if raise {
                    charge += mw;
                    (up(source.cost, mw), (mw, 0.0))
                } else {
                    discharge -= mw;
                    (down(source.cost, mw), (0.0, -mw))
                };
                let stretch = Stretch { piece, charge: step.0, discharge: step.1 };
                if !visit(stretch) {
                    return;
                }
            }
        }
        if !burnt {
            let both = charge.min(discharge);
            let width = both * self.hours * self.lost;
            if width > 0.0 {
                let piece = Piece { slope: burn_stored, width };
                let (charge, discharge) = (-both, -both);
                visit(Stretch { piece, charge, discharge });
            }
        }
    }
}

/// A convex function as slopes in rising order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Span {
    /// Where it begins, MWh.
    pub(super) from: f64,
    /// Its first piece in the list that holds it.
    pub(super) start: usize,
    /// One past its last.
    pub(super) end: usize,
}

/// Merges the function at `span` of `list` with `gains`, which begin at
/// `gained`, cuts what is not within `least` and `most`, and appends it.
/// Nothing if no energy is left.
///
/// Always inlined, as [`split`] is: what one interval leaves the next reads at once, and
/// through memory it would wait.
#[inline(always)]
pub(super) fn convolve(
    list: &mut Vec<Piece>,
    span: Span,
    gains: &[Piece],
    gained: f64,
    least: f64,
    most: f64,
) -> Option<Span> {
    let start = list.len();
    let mut from = span.from + gained;
    let mut skip = (least - from).max(0.0);
    from += skip;
    let mut room = most - from;
    if room < -TOUCH {
        return None;
    }
    room = room.max(0.0);
    let (mut a, mut b) = (span.start, 0);
    // The piece that is being widened, not yet in the list.
    let mut last = Piece { slope: f64::NAN, width: 0.0 };
    while room > 0.0 || skip > 0.0 {
        let from_gains = match (gains.get(b), a < span.end) {
            (Some(gain), true) => gain.slope < list[a].slope,
            (Some(_), false) => true,
            (None, true) => false,
            (None, false) => break,
        };
        let mut piece = if from_gains {
            b += 1;
            gains[b - 1]
        } else {
            a += 1;
            list[a - 1]
        };
        if piece.width <= skip {
            skip -= piece.width;
            continue;
        }
        piece.width = (piece.width - skip).min(room);
        skip = 0.0;
        room -= piece.width;
        if last.slope == piece.slope {
            last.width += piece.width;
        } else if piece.width > CRUMB {
            if last.width > 0.0 {
                list.push(last);
            }
            last = piece;
        }
    }
    if last.width > 0.0 {
        list.push(last);
    }
    if skip > TOUCH {
        return None;
    }
    Some(Span { from: from - skip, start, end: list.len() })
}

/// Makes one list of the last two, in rising order, where what costs the same is one.
pub(super) fn merge_last(lists: &mut Vec<Vec<Piece>>) {
    let (Some(right), Some(left)) = (lists.pop(), lists.pop()) else { return };
    let mut merged: Vec<Piece> = Vec::with_capacity(left.len() + right.len());
    let (mut a, mut b) = (0, 0);
    loop {
        let piece = match (left.get(a), right.get(b)) {
            (Some(ours), Some(theirs)) if theirs.slope < ours.slope => {
                b += 1;
                theirs
            }
            (Some(ours), _) => {
                a += 1;
                ours
            }
            (None, Some(theirs)) => {
                b += 1;
                theirs
            }
            (None, None) => break,
        };
        match merged.last_mut() {
            Some(last) if last.slope == piece.slope => last.width += piece.width,
            _ => merged.push(*piece),
        }
    }
    lists.push(merged);
}

/// Splits the energy `held` after an interval into what was held before and what
/// was gained, with the price at which both agree: the prefix of the merge.
/// Returns what was gained and the price, as a range.
#[inline(always)]
pub(super) fn split(
    list: &[Piece],
    span: Span,
    gains: &[Piece],
    gained: f64,
    held: f64,
) -> (f64, (f64, f64)) {
    let mut left = held - (span.from + gained);
    let mut from_gains = gained;
    let mut below = f64::NEG_INFINITY;
    let (mut a, mut b) = (span.start, 0);
    loop {
        let take_a =
            a < span.end && (b == gains.len() || list[a].slope <= gains[b].slope);
        let piece = if take_a {
            list[a]
        } else if b < gains.len() {
            gains[b]
        } else {
            return (from_gains, (below, f64::INFINITY));
        };
        if left <= TOUCH {
            return (from_gains, (below, piece.slope));
        }
        let used = piece.width.min(left);
        left -= used;
        if !take_a {
            from_gains += used;
        }
        if used < piece.width - TOUCH {
            return (from_gains, (piece.slope, piece.slope));
        }
        below = piece.slope;
        if take_a { a += 1 } else { b += 1 }
    }
}

/// The slopes of a function left and right of a point.
pub(super) fn slopes_at(list: &[Piece], span: Span, at: f64) -> (f64, f64) {
    let mut left = at - span.from;
    let mut below = f64::NEG_INFINITY;
    for piece in &list[span.start..span.end] {
        if left <= TOUCH {
            return (below, piece.slope);
        }
        if left < piece.width - TOUCH {
            return (piece.slope, piece.slope);
        }
        left -= piece.width;
        below = piece.slope;
    }
    (below, f64::INFINITY)
}

/// Two energies this close are the same, MWh: a fraction of a watt for a minute.
const TOUCH: f64 = 1e-8;

/// A round trip that loses less loses nothing.
const LOSSLESS: f64 = 1e-12;

/// What rounding leaves of a piece is no piece: dropped well below [`TOUCH`], so
/// that both directions see the same pieces.
pub(super) const CRUMB: f64 = 1e-10;
