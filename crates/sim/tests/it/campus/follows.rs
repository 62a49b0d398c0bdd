//! Draw and heat that follow in their own time, and what is counted of them.

use sim::Campus;
use sim::campus::{Dynamics, Tempers};
use units::{Energy, Interval, Power, Seconds};

use super::site::{RIGS, site};
use super::{START, seconds};

/// Rigs with the draw of real ones.
fn campus() -> Campus {
    let mut campus = Campus::new(site(3), 1, Tempers::none(), START);
    campus.set_dynamics(Dynamics::realistic());
    campus
}

fn draw(campus: &Campus, machine: u32) -> Power {
    campus.stands(RIGS, machine).expect("a machine").draw
}

/// A start rushes in, falls back to rest and rises over two minutes; a stop is over in
/// seconds.
#[test]
fn a_draw_rises_in_its_time_and_falls_in_its_time() {
    let mut campus = campus();
    let rest = draw(&campus, 0);
    campus.set_point(RIGS, 0, 1);
    let first = draw(&campus, 0);
    campus.advance(START + seconds(1));
    let second = draw(&campus, 0);
    campus.advance(START + seconds(60));
    let half = draw(&campus, 0);
    campus.advance(START + seconds(120));
    let full = draw(&campus, 0);
    assert!(rest < second && second < first, "it rushes in: {rest} {first} {second}");
    assert!(first < half && half < full, "{first} {half} {full}");

    campus.set_point(RIGS, 0, 0);
    assert_eq!(draw(&campus, 0), full, "it has not fallen yet");
    campus.advance(START + seconds(123));
    assert!(draw(&campus, 0) < full);
    campus.advance(START + seconds(125));
    assert_eq!(draw(&campus, 0), rest);
    assert_eq!(draw(&campus, 1), rest, "the others are left alone");
}

/// What the meter counts over a rise is the sum of what was drawn.
#[test]
fn energy_is_counted_along_the_way() {
    let mut campus = campus();
    campus.sweep(Interval::starting(START, seconds(1)));
    (0..3).for_each(|machine| {
        campus.set_point(RIGS, machine, 1);
    });
    let mut drawn = Energy::ZERO;
    for second in 1..=200 {
        drawn += campus.draw() * seconds(1);
        if second == 90 {
            campus.set_point(RIGS, 1, 0);
        }
        campus.advance(START + seconds(second));
    }
    let counted = campus.sweep(Interval::starting(START, seconds(200)));
    assert_eq!(counted.site, Some(drawn));
}

/// A part warms up over minutes, and cools down as slowly.
#[test]
fn heat_follows_the_draw() {
    let mut campus = campus();
    let heat = |campus: &Campus| campus.stands(RIGS, 0).expect("a machine").heat;
    let cold = heat(&campus);
    campus.set_point(RIGS, 0, 1);
    campus.advance(START + Seconds::minutes(2));
    let warm = heat(&campus);
    campus.advance(START + Seconds::minutes(30));
    let hot = heat(&campus);
    campus.set_point(RIGS, 0, 0);
    campus.advance(START + Seconds::minutes(31));
    let cooling = heat(&campus);
    assert!(cold < warm && warm < hot && cooling < hot && cold < cooling);
}
