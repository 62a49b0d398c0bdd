//! The frontier of schedules as a picture: mean against the worst twentieth.

use plan::{Plan, Search, Tried};

use super::{HEIGHT, LEFT, MILLION, PLOT, TOP, WIDTH, axis};
use crate::chart::{Figure, Linear, Mark, Panel, Place, text};
use crate::report::plan::millions;

/// How wide a schedule's mark is.
const MARK: f64 = 10.0;

/// The picture; `None` where no schedule was valued.
pub(super) fn figure(plan: &Plan, search: &Search) -> Option<Figure> {
    let all = || search.frontier.iter().chain(&search.stated);
    all().next()?;
    let ends = |of: fn(&Tried) -> f64| {
        let values = || all().map(of);
        let low = values().fold(f64::INFINITY, f64::min) / MILLION;
        let high = values().fold(f64::NEG_INFINITY, f64::max) / MILLION;
        // Room for the marks at both ends, and for one schedule alone.
        let room = ((high - low) * 0.06).max(1.0);
        (low - room, high + room)
    };
    let (worst, mean) =
        (ends(|tried| tried.valued.worst), ends(|tried| tried.valued.mean));
    let across = Linear::new(worst.0, worst.1, (0.0, PLOT));
    let scale = Linear::new(mean.0, mean.1, (HEIGHT, 0.0));
    let (mut marks, mut inside) = (Vec::new(), Vec::new());
    axis(&scale, "Mean present value, million USD", &mut marks);
    let (ticks, digits) = across.ticks(10.0);
    for tick in ticks {
        let at = (LEFT + across.at(tick), TOP + HEIGHT + 16.0);
        marks.push(text("tick middle", at, format!("{tick:.digits$}")));
    }
    let mut mark = |tried: &Tried, class: &'static str, width: f64| {
        let worth = &tried.valued;
        let x = across.at(worth.worst / MILLION) - width / 2.0;
        let y = scale.at(worth.mean / MILLION) - width / 2.0;
        let begins: Vec<String> = plan
            .conversions
            .iter()
            .zip(&tried.schedule)
            .map(|(one, start)| format!("{} {start}", one.name))
            .collect();
        inside.push(Mark::Box {
            class,
            at: Place(x, y),
            width,
            height: width,
            hint: format!(
                "{}: mean {}, worst twentieth {}",
                begins.join(", "),
                millions(worth.mean),
                millions(worth.worst)
            ),
        });
    };
    if let Some(stated) = &search.stated {
        mark(stated, "bar uncommitted", MARK * 1.8);
    }
    for tried in &search.frontier {
        mark(tried, "bar contracted", MARK);
    }
    let panel =
        Panel { left: LEFT, top: TOP, width: PLOT, height: HEIGHT, marks: inside };
    Some(Figure {
        id: "frontier",
        label: "Schedules: mean present value against the mean of the worst twentieth, million USD"
            .to_owned(),
        width: WIDTH,
        height: TOP + HEIGHT + 30.0,
        marks,
        panels: vec![panel],
    })
}
