//! What each site is worth as a picture: as it is, and as the plan leaves it.

use plan::{Answer, Plan};

use super::{MILLION, TOP, WIDTH};
use crate::chart::{Figure, Linear, Mark, Panel, Place, line, text};
use crate::report::plan::millions;

/// How high a site's two bars and the room around them are.
const ROW: f64 = 44.0;

/// How wide the names of sites are.
const NAMES: f64 = 200.0;

/// The picture; `None` where there is one site.
pub(super) fn figure(plan: &Plan, answer: &Answer) -> Option<Figure> {
    if !plan.has_sites() {
        return None;
    }
    let worths = || {
        let sites = answer.sites.iter();
        sites.flat_map(|site| [site.worth_usd.mean, site.worth_stay_usd.mean])
    };
    let low = worths().fold(0.0, f64::min) / MILLION;
    let high = worths().fold(1.0, f64::max) / MILLION;
    let width = WIDTH - NAMES - 80.0;
    let height = answer.sites.len() as f64 * ROW;
    let scale = Linear::new(low, high, (0.0, width));
    let (mut marks, mut inside) = (Vec::new(), Vec::new());
    for (place, site) in answer.sites.iter().enumerate() {
        let top = place as f64 * ROW;
        let at = (NAMES - 8.0, TOP + top + ROW / 2.0 + 4.0);
        marks.push(text("tick end", at, site.name.clone()));
        for (row, class, said, band) in [
            (0.0, "bar uncommitted", "as it is", site.worth_stay_usd),
            (1.0, "bar contracted", "as planned", site.worth_usd),
        ] {
            let (from, to) = (scale.at(0.0), scale.at(band.mean / MILLION));
            let [mean, p5, p95] = [band.mean, band.p5, band.p95].map(millions);
            inside.push(Mark::Box {
                class,
                at: Place(from.min(to), top + 4.0 + row * (ROW / 2.0 - 4.0)),
                width: (to - from).abs(),
                height: ROW / 2.0 - 6.0,
                hint: format!("{} {said}: {mean}, 5 to 95 %: {p5} to {p95}", site.name),
            });
        }
    }
    inside.push(line("limit", (scale.at(0.0), 0.0), (scale.at(0.0), height)));
    let (ticks, digits) = scale.ticks(8.0);
    for tick in ticks {
        let at = (NAMES + scale.at(tick), TOP + height + 16.0);
        marks.push(text("tick middle", at, format!("{tick:.digits$}")));
    }
    marks.push(text("unit start", (0.0, TOP - 12.0), "Present value, million USD"));
    Some(Figure {
        id: "sites",
        label: "What each site is worth before lenders and tax, as it is and as planned"
            .to_owned(),
        width: WIDTH,
        height: TOP + height + 30.0,
        marks,
        panels: vec![Panel { left: NAMES, top: TOP, width, height, marks: inside }],
    })
}
