//! From a point of a load's curve to what a machine is told, and back from what it
//! shows.

use engine::site::Machines;
use units::Power;

use crate::device::{Look, Quality, Running, Wanted};

/// How far a device's own rounding of a limit may be off.
const LIMIT_OFF_BY: Power = Power::from_watts(10);

/// What a machine is told to be at a point: 0 is at rest.
pub(super) fn wanted(machines: &Machines, point: u8) -> Wanted {
    match usize::from(point).checked_sub(1).and_then(|at| machines.points.get(at)) {
        Some(point) => Wanted::AtMost(point.power),
        None => Wanted::Rest,
    }
}

/// The point a machine is set to, and what it draws; `None` where it does not say
/// what it does. A machine at work without a limit may draw all it can: the last point.
pub(super) fn seen(machines: &Machines, look: &Look) -> Option<(u8, Power)> {
    let point = match look.running?.value {
        Running::Resting => 0,
        Running::Starting | Running::Working => {
            let last = machines.points.len();
            let place = look.limit.map_or(last, |limit| {
                let reaches = |power: Power| power + LIMIT_OFF_BY >= limit.value;
                let at = machines.points.iter().position(|point| reaches(point.power));
                at.map_or(last, |at| at + 1)
            });
            u8::try_from(place).unwrap_or(u8::MAX)
        }
    };
    Some((point, draw(look).unwrap_or_else(|| power(machines, point))))
}

/// What a machine says that it draws, if that can be.
pub(super) fn draw(look: &Look) -> Option<Power> {
    let draw = look.draw.filter(|draw| draw.quality > Quality::Implausible)?;
    (draw.value >= Power::ZERO).then_some(draw.value)
}

fn power(machines: &Machines, point: u8) -> Power {
    let at = usize::from(point).checked_sub(1).and_then(|at| machines.points.get(at));
    at.map_or(machines.standby, |point| point.power)
}

#[cfg(test)]
mod tests {
    use engine::site::{Machines, OperatingPoint, Rate};
    use units::{HashRate, Power};

    use super::{seen, wanted};
    use crate::device::{Field, Look, Running, Wanted};

    fn machines() -> Machines {
        let rate = Rate::Hash(HashRate::from_ghs(1));
        let point = |watts| OperatingPoint { power: Power::from_watts(watts), rate };
        let standby = Power::from_watts(40);
        Machines { count: 9, standby, points: vec![point(2_500), point(3_500)] }
    }

    #[test]
    fn a_point_is_a_limit_and_a_limit_is_the_point_it_fits_under() {
        let check = |running, limit: Option<i64>, expected| {
            let look = Look {
                running: Some(Field::reported(running)),
                limit: limit.map(|watts| Field::reported(Power::from_watts(watts))),
                ..Look::default()
            };
            let point = seen(&machines(), &look).map(|(point, _)| point);
            assert_eq!(point, Some(expected), "{running:?} {limit:?}");
        };
        assert_eq!(wanted(&machines(), 0), Wanted::Rest);
        assert_eq!(wanted(&machines(), 2), Wanted::AtMost(Power::from_watts(3_500)));
        check(Running::Resting, Some(3_500), 0);
        check(Running::Working, Some(2_500), 1);
        check(Running::Working, Some(2_400), 1);
        check(Running::Starting, Some(2_508), 1);
        check(Running::Working, Some(2_600), 2);
        check(Running::Working, Some(9_000), 2);
        check(Running::Working, None, 2);
    }

    #[test]
    fn a_machine_that_does_not_say_what_it_does_was_not_seen() {
        let draw = Some(Field::reported(Power::from_watts(3_000)));
        assert_eq!(seen(&machines(), &Look { draw, ..Look::default() }), None);
    }
}
