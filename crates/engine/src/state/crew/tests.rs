//! What a crew makes of looks whose draw follows later than their word.

use units::{HashRate, Power, Timestamp};

use super::{Crew, Duty, Standing, draw};
use crate::act::{ANSWER_WITHIN, Look, Move};
use crate::ranges::Ranges;
use crate::site::{Machines, OperatingPoint, Rate};

fn group() -> Machines {
    let rate = Rate::Hash(HashRate::from_ghs(1));
    let point = |watts| OperatingPoint { power: Power::from_watts(watts), rate };
    let standby = Power::from_watts(40);
    Machines { count: 2, standby, points: vec![point(2_500), point(3_500)] }
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000 + seconds)
}

/// Two machines that were seen at their last point and are ordered to rest at second 0.
fn ordered_to_rest() -> Crew {
    let group = group();
    let mut crew = Crew::at_rest(&group);
    let to = |point| [Move { point, machines: Ranges::all(2) }];
    crew.order(&group, &to(2), second(-100));
    hear(&mut crew, &[(0, 2, 3_500), (1, 2, 3_500)], -90);
    crew.order(&group, &to(0), second(0));
    crew
}

fn hear(crew: &mut Crew, looks: &[(u32, u8, i64)], at: i64) {
    let looks: Vec<Look> = looks
        .iter()
        .map(|(machine, point, watts)| Look {
            machine: *machine,
            point: *point,
            draw: Power::from_watts(*watts),
        })
        .collect();
    crew.hear(&group(), &looks, &Ranges::default(), second(at));
}

fn overdue(crew: &Crew, at: i64) -> String {
    crew.overdue(second(at), ANSWER_WITHIN).to_string()
}

/// A machine that says it rests and draws on is not believed yet, and is looked at again
/// within seconds, not only when an answer is overdue.
#[test]
fn what_draws_on_after_its_word_is_looked_at_again_soon() {
    for answered_at in [0, 1] {
        let mut crew = ordered_to_rest();
        // The other has not moved yet: it answers in its own time.
        hear(&mut crew, &[(0, 0, 3_500), (1, 2, 3_500)], answered_at);
        assert_eq!(
            (crew.sums().unanswered, overdue(&crew, answered_at + 3)),
            (2, "".into())
        );
        assert_eq!(overdue(&crew, answered_at + 4), "0");
        assert_eq!(crew.asked_first(), Some(second(answered_at + 4) - ANSWER_WITHIN));

        let at = second(answered_at + 4);
        crew.asked(&group(), &std::iter::once(0).collect(), at);
        hear(&mut crew, &[(0, 0, 1_200)], answered_at + 4);
        assert_eq!(overdue(&crew, answered_at + 8), "0", "it still draws");
        hear(&mut crew, &[(0, 0, 40)], answered_at + 8);
        assert_eq!((crew.sums().unanswered, overdue(&crew, 59)), (1, "".into()));
        assert_eq!(crew.machines()[0].standing, Standing::InHand);
        assert_eq!((crew.machines()[0].most, crew.machines()[1].most), (0, 2));
    }
}

/// One that lies is asked while its draw may still follow, and is then where it draws.
#[test]
fn what_goes_on_drawing_is_believed_by_its_draw() {
    let mut crew = ordered_to_rest();
    let mut asked = 0;
    for at in 0..40 {
        if !overdue(&crew, at).is_empty() {
            crew.asked(&group(), &Ranges::all(1), second(at));
            asked += 1;
        }
        hear(&mut crew, &[(0, 0, 3_500), (1, 0, 40)], at);
    }
    let machine = crew.machines()[0];
    assert_eq!((machine.ordered, machine.most, machine.unanswered), (2, 2, false));
    assert!((5..=8).contains(&asked), "{asked}");
    assert_eq!(crew.machines()[1].most, 0);
}

/// Four machines at 40 W of rest, 2,500 W and 3,500 W: the first is dark, the third is
/// held.
fn with_duties(points: [u8; 4]) -> (Machines, Crew) {
    let group = Machines { count: 4, ..group() };
    let mut crew = Crew::at_rest(&group);
    let moves: Vec<Move> = (0..)
        .zip(points)
        .map(|(number, point)| Move { point, machines: [number].into_iter().collect() })
        .collect();
    crew.order(&group, &moves, second(0));
    let looks: Vec<Look> = (0..)
        .zip(points)
        .map(|(machine, point)| Look { machine, point, draw: draw(&group, point) })
        .collect();
    crew.hear(&group, &looks, &Ranges::default(), second(1));
    let duties = [Duty::Dark, Duty::Free, Duty::Held];
    assert!(crew.take_duties(&group, &duties));
    assert!(!crew.take_duties(&group, &duties), "they were taken on before");
    (group, crew)
}

fn moved(moves: &[Move]) -> String {
    let words = moves.iter().map(|to| format!("{} to {}", to.machines, to.point));
    words.collect::<Vec<_>>().join(", ")
}

/// 3,500 W for the held one and 40 W for each of three others is as low as it goes; the
/// dark one never counts on the way up.
#[test]
fn duties_bound_how_far_a_crew_can_be_moved() {
    let (_, crew) = with_duties([0, 0, 0, 0]);
    assert_eq!(crew.sums().floor, Power::from_watts(3_620));
    assert_eq!(crew.sums().ceiling, Power::from_watts(10_540));
}

#[test]
fn what_is_held_goes_up_first_and_what_is_dark_not_at_all() {
    let (group, crew) = with_duties([0, 0, 0, 0]);
    let up = |watts| moved(&crew.up_to(&group, Power::from_watts(watts)));
    // All at rest draw 160 W: 2,460 W are a first step, 1,000 W a second.
    assert_eq!(up(2_620), "2 to 1");
    assert_eq!(up(3_620), "2 to 2");
    assert_eq!(up(6_080), "1 to 1, 2 to 2");
    assert_eq!(up(100_000), "1-3 to 2");
}

#[test]
fn what_is_dark_comes_down_first_and_what_is_held_never() {
    let (group, crew) = with_duties([1, 1, 2, 1]);
    let down = |watts| moved(&crew.down_to(&group, Power::from_watts(watts), |_| false));
    // 11,000 W in all.
    assert_eq!(down(8_540), "0 to 0");
    assert_eq!(down(6_080), "0,3 to 0");
    assert_eq!(down(0), "0-1,3 to 0");
}

/// Who makes way under a target, in the words of `moved`.
fn way(crew: &Crew, group: &Machines, watts: i64) -> String {
    moved(&crew.way(group, Power::from_watts(watts), second(10), |_| true))
}

#[test]
fn the_lesser_makes_way_and_no_further_than_needed() {
    // The held one rests. Up it takes 3,460 W; the dark one and those on offer run.
    let (group, crew) = with_duties([1, 2, 0, 2]);
    assert_eq!(crew.sums().ordered, Power::from_watts(9_540));
    // The dark one gives 2,460 W, and a step of the last on offer the other 1,000.
    assert_eq!(way(&crew, &group, 9_540), "0 to 0, 3 to 1");
    assert_eq!(way(&crew, &group, 10_540), "0 to 0");
    assert_eq!(way(&crew, &group, 13_000), "");
    let tight = |down: Power| down <= Power::from_watts(2_000);
    let moves = crew.way(&group, Power::from_watts(9_540), second(10), tight);
    assert_eq!(moved(&moves), "1,3 to 1", "a ramp leaves 2,000 W");

    // One on offer takes the place of a dark one, never of another.
    let (group, crew) = with_duties([2, 0, 2, 0]);
    assert_eq!(way(&crew, &group, 7_080), "0 to 0");
    let (group, crew) = with_duties([0, 0, 2, 2]);
    assert_eq!(way(&crew, &group, 7_080), "");
}

/// While a held machine waits for room, what there is of it is not taken from it by one
/// whose step is smaller.
#[test]
fn nothing_on_offer_goes_up_into_room_that_a_held_one_waits_for() {
    let (group, crew) = with_duties([0, 1, 0, 1]);
    let up = |watts| moved(&crew.up_to(&group, Power::from_watts(watts)));
    assert_eq!(up(5_080 + 2_000), "");
    assert_eq!(up(5_080 + 2_460), "2 to 1");
    assert_eq!(up(5_080 + 3_460 + 1_000), "1-2 to 2");
}
