//! What stands in a rack beside its trays and is only looked at: a power shelf, a switch
//! tray.

use serde_json::{Value, json};

use super::shelf::Feeds;
use super::switch::Joins;
use super::tree::{collection, link, odata, session, session_service, uuid};

/// What one is.
#[derive(Clone, Debug)]
pub(super) enum Apart {
    /// It shows what it feeds.
    Shelf(Feeds),
    /// It shows whether it joins the rack's GPUs.
    Switch(Joins),
}

impl Apart {
    /// The resource at a path, without the service's prefix.
    pub(super) fn at(&self, path: &str, number: u32, sessions: &[u64]) -> Option<Value> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        Some(match (parts.as_slice(), self) {
            ([], Self::Shelf(_)) => root("Power shelf", &["Chassis"], uuid(number, 7)),
            ([], Self::Switch(_)) => {
                let has = ["Chassis", "Systems", "Fabrics"];
                root("NVLink switch tray", &has, uuid(number, 8))
            }
            (["SessionService"], _) => session_service(),
            (["SessionService", "Sessions"], _) => {
                let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
                collection(path, "Session", ids.iter().map(String::as_str))
            }
            (["SessionService", "Sessions", id], _) => {
                sessions.iter().find(|session| session.to_string() == *id)?;
                session(id)
            }
            (parts, Self::Shelf(feeds)) => return feeds.at(path, parts, number),
            (parts, Self::Switch(joins)) => return joins.at(path, parts, number),
        })
    }
}

fn root(product: &str, has: &[&str], uuid: String) -> Value {
    let mut root = json!({
        "@odata.id": odata(""),
        "@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot",
        "Id": "RootService",
        "Name": "Root Service",
        "Vendor": "Megawatt",
        "Product": product,
        "RedfishVersion": "1.17.0",
        "UUID": uuid,
        "SessionService": link("SessionService"),
        "Links": { "Sessions": link("SessionService/Sessions") }
    });
    for name in has {
        root[name] = link(name);
    }
    root
}
