//! What a crew makes of looks whose draw follows later than their word.

use units::{HashRate, Power, Timestamp};

use super::{Crew, Standing};
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
