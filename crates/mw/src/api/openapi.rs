//! The OpenAPI 3.1 document, made from the table of routes and the types themselves.
//!
//! `docs/reference/openapi.json` is a copy; a test compares them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::act::{
    ConfirmBody, EmptyBody, HoldBody, InstructBody, LockOutBody, MachinesBody,
    MaintainBody,
};
use super::document::{
    AlarmsDocument, CheckpointDocument, DecisionDocument, DecisionsDocument,
    DoneDocument, GridDocument, IntervalsDocument, LoadsDocument, MachinesDocument,
    MyselfDocument, OutlookDocument,
};
use super::problem::{Kind, ProblemDocument};
use super::racks::RacksRead;
use super::racks::act::{
    AcceptBody, AnnounceBody, BlockBody, CancelBody, DeferBody, FlexBody, JudgeBody,
    RacksAct, ReplaceBody, ReserveBody, ResourceBody, ResourceWhyBody, ReturnBody,
    SayBody, WindowBody,
};
use super::racks::document::{
    BlocksDocument, CapacityDocument, FactsDocument, FlexesDocument, ForecastDocument,
    IncidentsDocument, RacksDoneDocument, ResourcesDocument, StatementsDocument,
    WindowsDocument,
};
use super::role::{Role, Rule};
use super::route::{Act, Does, Method, Parameter, ROUTES, Read, Route, Values};
use super::told::EventKind;
use crate::live::status::{LoadStatus, Status};

/// A type as the document shows it: its name, and every type it is made of.
struct Shape {
    name: String,
    parts: BTreeMap<String, Value>,
}

fn shape<T: ToSchema>() -> Shape {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    parts.push((T::name().into_owned(), T::schema()));
    let parts = parts.into_iter().map(|(name, schema)| {
        (name, serde_json::to_value(schema).expect("a schema is JSON"))
    });
    Shape { name: T::name().into_owned(), parts: parts.collect() }
}

/// What a document is, in a sentence, and its type.
fn of_read(read: Read) -> (&'static str, Option<Shape>) {
    match read {
        Read::OpenApi => ("This document.", None),
        Read::Myself => {
            ("Who one is, and what one may do.", Some(shape::<MyselfDocument>()))
        }
        Read::Status => ("How everything stands.", Some(shape::<Status>())),
        Read::Loads => {
            ("Every load, and what people set by hand.", Some(shape::<LoadsDocument>()))
        }
        Read::Load => ("One load.", Some(shape::<LoadStatus>())),
        Read::Machines => {
            ("The machines of a load, one by one.", Some(shape::<MachinesDocument>()))
        }
        Read::Decisions => (
            "Decisions of a time, with their reasons.",
            Some(shape::<DecisionsDocument>()),
        ),
        Read::Decision => {
            ("The newest decision, with its reasons.", Some(shape::<DecisionDocument>()))
        }
        Read::Intervals => {
            ("What was metered over a time.", Some(shape::<IntervalsDocument>()))
        }
        Read::Outlook => {
            ("Prices expected of the next day.", Some(shape::<OutlookDocument>()))
        }
        Read::Alarms => ("Alarms that stand.", Some(shape::<AlarmsDocument>())),
        Read::Grid => (
            "Grid programmes, what they ask, and every limit that holds.",
            Some(shape::<GridDocument>()),
        ),
        Read::Racks(racks) => of_racks(racks),
        Read::Checkpoint => (
            "The last signed checkpoint of the record.",
            Some(shape::<CheckpointDocument>()),
        ),
    }
}

fn of_racks(read: RacksRead) -> (&'static str, Option<Shape>) {
    match read {
        RacksRead::Overview => (
            "What there is, and availability to date. A tenant sees its own alone, here and \
             in everything below.",
            Some(shape::<CapacityDocument>()),
        ),
        RacksRead::Resources => (
            "The index of resources, with stable names and reasons.",
            Some(shape::<ResourcesDocument>()),
        ),
        RacksRead::Blocks => {
            ("Topology blocks, given and taken whole.", Some(shape::<BlocksDocument>()))
        }
        RacksRead::Incidents => ("Break-fix events.", Some(shape::<IncidentsDocument>())),
        RacksRead::Windows => ("Announced work.", Some(shape::<WindowsDocument>())),
        RacksRead::Flexes => ("Flex events.", Some(shape::<FlexesDocument>())),
        RacksRead::Facts => (
            "The record of facts that availability and money follow from.",
            Some(shape::<FactsDocument>()),
        ),
        RacksRead::Statements => (
            "Statements of every month that was cut off, and of the one that goes on.",
            Some(shape::<StatementsDocument>()),
        ),
        RacksRead::Forecast => (
            "When each tranche will be there, from the racks' real progress, and what its delay \
             costs.",
            Some(shape::<ForecastDocument>()),
        ),
    }
}

fn of_racks_act(act: RacksAct) -> (&'static str, Shape) {
    match act {
        RacksAct::Reserve => (
            "Reserve topology blocks, all of them or none. A tenant does for itself, under \
             its own contract.",
            shape::<ReserveBody>(),
        ),
        RacksAct::Accept => (
            "Accept a block under its contract: its seconds are counted from then on.",
            shape::<AcceptBody>(),
        ),
        RacksAct::HandOver => ("Give a block to its tenant.", shape::<BlockBody>()),
        RacksAct::Return => ("Give a block back.", shape::<ReturnBody>()),
        RacksAct::ReturnResource => (
            "Give one resource's machine back because it does not work; the seat stays the \
             tenant's.",
            shape::<ResourceWhyBody>(),
        ),
        RacksAct::PowerCycle => {
            ("Switch a resource's machine off and on.", shape::<ResourceBody>())
        }
        RacksAct::Cordon => (
            "Keep a resource's machine from being given to anybody next.",
            shape::<ResourceWhyBody>(),
        ),
        RacksAct::Replace => (
            "Have a free machine of the same NVLink domain take a resource over.",
            shape::<ReplaceBody>(),
        ),
        RacksAct::Announce => ("Announce work on machines.", shape::<AnnounceBody>()),
        RacksAct::Defer => {
            ("Put announced work off to a later window.", shape::<DeferBody>())
        }
        RacksAct::Done => (
            "Announced work is done, and its machines are looked over.",
            shape::<WindowBody>(),
        ),
        RacksAct::Cancel => (
            "Call announced work off before it begins; its tenants are told.",
            shape::<CancelBody>(),
        ),
        RacksAct::Flex => ("Call a contracted flex event.", shape::<FlexBody>()),
        RacksAct::Judge => (
            "Have a rack's trays in burn-in judged by what their tools wrote; the signed \
             evidence is kept. The body has at most 16 MiB.",
            shape::<JudgeBody>(),
        ),
        RacksAct::Say => (
            "Say anything else of racks, as the reference of `mw capacity` has it.",
            shape::<SayBody>(),
        ),
    }
}

fn of_act(act: Act) -> (&'static str, Shape) {
    match act {
        Act::LockOut => (
            "Lock a load or machines out: nothing starts them until the same role releases \
             them.",
            shape::<LockOutBody>(),
        ),
        Act::Release => ("Release what this role locked out.", shape::<MachinesBody>()),
        Act::Maintain => {
            ("Take a load or machines out of service.", shape::<MaintainBody>())
        }
        Act::EndMaintenance => ("Put them back before the end.", shape::<MachinesBody>()),
        Act::Hold => ("Keep a load at a level by hand.", shape::<HoldBody>()),
        Act::EndHold => ("Give a held load back.", shape::<EmptyBody>()),
        Act::Instruct => (
            "Pass on what the grid says by telephone. What would relax a limit waits for a \
             second person.",
            shape::<InstructBody>(),
        ),
        Act::Confirm => {
            ("Agree, as a second person, to what waits for one.", shape::<ConfirmBody>())
        }
        Act::Acknowledge => ("Look after an alarm.", shape::<EmptyBody>()),
        Act::Reload => ("Have the site file read anew.", shape::<EmptyBody>()),
        Act::Stop => ("End the run on purpose.", shape::<EmptyBody>()),
        Act::Racks(act) => of_racks_act(act),
    }
}

/// The document as the page of the reference.
pub fn page() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("it is JSON");
    text.push('\n');
    text
}

/// The document.
pub fn document() -> Value {
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let problem = shape::<ProblemDocument>();
    schemas.extend(problem.parts);
    for route in ROUTES.iter().filter(|route| route.is_api()) {
        let method = match route.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        let operation = operation(route, &mut schemas);
        paths.entry(route.path).or_default().insert(method.to_owned(), operation);
    }
    let kinds: Vec<Value> = Kind::ALL
        .iter()
        .map(|kind| json!({ "type": kind.uri(), "status": kind.of().0, "title": kind.of().2 }))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Megawatt",
            "version": "1",
            "description": "What a living run of a powered site can be asked over HTTP. Powers \
                are decimal megawatts as text, instants RFC 3339 in UTC, intervals half-open. \
                Problems are RFC 9457 documents whose `type` is stable.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "x-problem-types": kinds,
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "mw_pat_…",
                    "description": "A token of `mw token create`.",
                },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut BTreeMap<String, Value>) -> Value {
    let mut responses = Map::new();
    let mut operation = Map::new();
    let mut parameters: Vec<Value> = parts_of(route.path);
    parameters.extend(route.query().iter().map(query));
    let mut problems: Vec<Kind> = Vec::new();
    let mut refer = |shape: Shape| {
        schemas.extend(shape.parts);
        json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
    };
    match route.does {
        Does::Read(read) => {
            let (says, shape) = of_read(read);
            operation.insert("summary".into(), says.into());
            let schema = match shape {
                Some(shape) => refer(shape),
                None => json!({ "type": "object" }),
            };
            responses.insert("200".into(), content("It.", "application/json", &schema));
            problems.extend([Kind::BadRequest, Kind::Unavailable]);
            if matches!(read, Read::Load | Read::Machines | Read::Decision) {
                problems.push(Kind::NotFound);
            }
        }
        Does::Act(act) => {
            let (says, body) = of_act(act);
            operation.insert("summary".into(), says.into());
            let schema = refer(body);
            operation.insert(
                "requestBody".into(),
                json!({
                    "required": !act.may_be_silent(),
                    "content": { "application/json": { "schema": schema } },
                }),
            );
            let of_racks = matches!(act, Act::Racks(_));
            let schema = refer(if of_racks {
                shape::<RacksDoneDocument>()
            } else {
                shape::<DoneDocument>()
            });
            let done = content(
                "Done and durable; or, with `dry_run`, what would come of it.",
                "application/json",
                &schema,
            );
            responses.insert("200".into(), done);
            parameters.push(json!({
                "name": "Idempotency-Key",
                "in": "header",
                "required": false,
                "description": "Needed unless `dry_run` is true: of your own making, new for \
                    each thing to be done. The same key is the same answer for seven days.",
                "schema": {
                    "type": "string", "minLength": 1, "maxLength": 128,
                    "pattern": "^[!-~]+$",
                },
            }));
            problems.extend([
                Kind::BadRequest,
                Kind::NotFound,
                Kind::TooSlow,
                Kind::Refused,
                Kind::TooLarge,
                Kind::UnsupportedMediaType,
                Kind::NotMeant,
                Kind::NotKnown,
                Kind::Unavailable,
            ]);
        }
        Does::Events | Does::RacksEvents => {
            let (says, kinds) = if route.does == Does::RacksEvents {
                (
                    "What happens to a tenant's own, as it happens: server-sent events.",
                    EventKind::Racks.word().to_owned(),
                )
            } else {
                (
                    "What happens, as it happens: server-sent events.",
                    EventKind::ALL.map(EventKind::word).join(", "),
                )
            };
            operation.insert("summary".into(), says.into());
            operation.insert(
                "description".into(),
                format!(
                    "The id of an event is the number of its record in the journal. A listener \
                     that comes back with `Last-Event-ID` is told what it missed. Kinds: {kinds}."
                )
                .into(),
            );
            parameters.push(json!({
                "name": "Last-Event-ID",
                "in": "header",
                "required": false,
                "description": "The last record that was heard.",
                "schema": { "type": "string", "pattern": "^[0-9]{1,18}$" },
            }));
            let stream = json!({ "type": "string" });
            responses
                .insert("200".into(), content("Events.", "text/event-stream", &stream));
            problems.extend([Kind::BadRequest, Kind::Gone, Kind::Unavailable]);
        }
        Does::Page(_) => {}
    }
    if let Rule::Needs(permission) = route.rule {
        let roles: Vec<&str> = Role::ALL
            .into_iter()
            .filter(|role| role.may(permission))
            .map(Role::word)
            .collect();
        operation.insert("security".into(), json!([{ "token": [] }]));
        operation.insert("x-permission".into(), permission.word().into());
        operation.insert("x-roles".into(), json!(roles));
        problems.extend([Kind::Unauthenticated, Kind::Forbidden, Kind::TooMany]);
    } else {
        operation.insert("security".into(), json!([]));
    }
    let schema = json!({ "$ref": "#/components/schemas/ProblemDocument" });
    for kind in problems {
        let (status, _, title) = kind.of();
        responses
            .entry(status.to_string())
            .or_insert_with(|| content(title, "application/problem+json", &schema));
    }
    operation.insert("operationId".into(), name_of(route).into());
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    operation.insert("responses".into(), responses.into());
    Value::Object(operation)
}

fn content(says: &str, kind: &str, schema: &Value) -> Value {
    json!({ "description": says, "content": { kind: { "schema": schema } } })
}

/// A name that programs can call an operation by.
fn name_of(route: &Route) -> String {
    let method = match route.method {
        Method::Get => "get",
        Method::Post => "post",
    };
    let words = route.path.split(['/', '-', '.']).filter(|word| !word.is_empty());
    let words = words.filter(|word| *word != "v1" && !word.starts_with('{'));
    [method].into_iter().chain(words).collect::<Vec<_>>().join("_")
        + if route.path.ends_with('}') { "_one" } else { "" }
}

/// The parts of an address that vary.
fn parts_of(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| {
        part.strip_prefix('{').and_then(|part| part.strip_suffix('}'))
    });
    names
        .map(|name| {
            let (says, schema) = match name {
                "alarm" => (
                    "The number of an alarm.",
                    json!({ "type": "integer", "format": "int64", "minimum": 0,
                            "maximum": u32::MAX }),
                ),
                _ => (
                    "The name of a load, as the site file has it.",
                    json!({ "type": "string", "minLength": 1 }),
                ),
            };
            json!({
                "name": name, "in": "path", "required": true,
                "description": says, "schema": schema,
            })
        })
        .collect()
}

fn query(parameter: &Parameter) -> Value {
    let schema = match parameter.of {
        Values::Text => json!({ "type": "string" }),
        Values::Instant => json!({ "type": "string", "format": "date-time" }),
        Values::Count { usual: 0, most } => {
            json!({ "type": "integer", "minimum": 0, "maximum": most })
        }
        Values::Count { usual, most } => {
            json!({ "type": "integer", "minimum": 1, "maximum": most, "default": usual })
        }
        Values::Bool => json!({ "type": "boolean", "default": false }),
        Values::Word(words) => json!({ "type": "string", "enum": words }),
    };
    json!({
        "name": parameter.name, "in": "query", "required": false,
        "description": parameter.says, "schema": schema,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_operations_and_every_reference_is_there() {
        let document = document();
        let mut names = std::collections::BTreeSet::new();
        for path in document["paths"].as_object().expect("paths").values() {
            for operation in path.as_object().expect("operations").values() {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name.to_owned()), "{name} twice");
            }
        }
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().expect("a name");
            assert!(!document["components"]["schemas"][name].is_null(), "{name}");
        }
    }
}
