//! Tenants over HTTP: blocks reserved, accepted, used and given back, and nobody sees
//! what is another's.

mod judged;
mod over_redfish;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Run;
use super::http::{Answer, Door, events_to};
use crate::backtest::{fresh, mw, root};

/// 720 GPUs that were due before the run begins.
const CONTRACT: &str = r#"
schema = "capacity-contract/1"
id = "CAP"
supplier = "site-co"
customer = "red"
currency = "USD"
timezone = "UTC"
effective = 2024-01-01
[billing]
grace_days = 5
due_days = 30
restate_limit_months = 24
[prepayment]
percent = "20"
due = "days-before-delivery:60"
credit_from = 25
credit_over = 36
[delay]
credit = { per_day = "0.01", of = "monthly-fee", cap_days = 100 }
long_stop_days = 120
[[tranche]]
id = "H1"
gpus = 720
price = { unit = "gpu-hour", amount = "1.00" }
delivery = 2024-12-01
months = 120
"#;

/// An example's site, its contracted racks under that contract.
fn write_site(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let site = fs::read_to_string(root().join("examples/mixed-10mw/site.toml"));
    let site = site.expect("an example").replace(
        "worth_usd_per_mwh = 1107 }",
        "worth_usd_per_mwh = 1107, contract = \"contract.toml\", tranche = \"H1\" }",
    );
    assert!(site.contains("contract.toml"));
    fs::write(folder.join("site.toml"), site).expect("a site");
    fs::write(folder.join("contract.toml"), CONTRACT).expect("a contract");
    // What the site's people know of its contracts from elsewhere.
    let payment = |seq: u64, amount: &str, contract: &str| {
        let body = json!({
            "amount": amount, "currency": "USD", "for": "prepayment:H1",
            "contract": contract,
        });
        let fact = json!({
            "seq": seq, "site": "office", "source": "bank", "source_seq": seq,
            "kind": "payment", "valid_from": "2024-10-01T00:00Z",
            "known_at": "2024-10-01T00:00Z", "body": body,
        });
        format!("{fact}\n")
    };
    let record = payment(1, "1234.50", "CAP") + &payment(2, "99.00", "BLU");
    fs::write(folder.join("known.jsonl"), record).expect("facts");
}

/// A run with racks in hand, two tenants and one of the site's people.
struct Desk {
    door: Door,
    ana: String,
    red: String,
    blue: String,
    keys: u32,
    /// Where the site file is.
    site: PathBuf,
}

impl Desk {
    fn open(name: &str) -> Self {
        let folder = fresh(name);
        let site = fresh(&format!("{name}-site"));
        write_site(&site);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mw"));
        command
            .arg("run")
            .arg(&site)
            .args(["--against", "sim", "--synth", "7", "--log", "json"])
            .args(["--seconds", "300", "--http", "127.0.0.1:0"])
            .args(["--racks", "sim", "--speed", "120", "--facts"])
            .arg(site.join("known.jsonl"))
            .arg("--data")
            .arg(&folder)
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let door = Door::of(Run::of(command, &folder));
        let ana = door.token("Ana", "operator", &[]);
        let red = door.token("Rae", "tenant", &["--tenant", "red"]);
        let blue = door.token("Bo", "tenant", &["--tenant", "blue"]);
        Self { door, ana, red, blue, keys: 0, site }
    }

    fn post(&mut self, path: &str, token: &str, body: &Value) -> Answer {
        self.keys += 1;
        let key = format!("k{}", self.keys);
        self.door.post(&format!("/v1/capacity/{path}"), token, Some(&key), body)
    }

    /// Something that the site's people may, and do.
    fn ana(&mut self, path: &str, body: &Value) -> Answer {
        let token = self.ana.clone();
        let answer = self.post(path, &token, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    fn red(&mut self, path: &str, body: &Value) -> Answer {
        let token = self.red.clone();
        self.post(path, &token, body)
    }

    fn get(&self, path: &str, token: &str) -> Value {
        let answer = self.door.get(&format!("/v1/capacity{path}"), token);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Waits until so many trays are in a phase.
    fn until(&self, phase: &str, trays: u64) {
        for _ in 0..2_000 {
            let found = self.get("", &self.ana);
            let phases = found["trays_by_phase"].as_array().expect("phases").clone();
            let here = phases.iter().find(|one| one["phase"] == phase);
            if here.is_some_and(|one| one["trays"] == trays) {
                return;
            }
            // Asking by a command of its own takes its time: nobody asks too often.
            self.door.run.status();
        }
        panic!("expected {trays} trays {phase}, found {}", self.get("", &self.ana));
    }

    /// Two racks, from the dock to their tests.
    fn put_up(&mut self) {
        for (number, name) in ["R1", "R2"].into_iter().enumerate() {
            let serials: Vec<String> =
                (0..18).map(|slot| format!("{name}-{slot}")).collect();
            let meant = match name {
                "R1" => json!({ "contract": "CAP", "tranche": "H1" }),
                _ => Value::Null,
            };
            let rack = json!({ "rack": {
                "name": name, "shape": "GB300 NVL72", "hall": "A", "due": null,
                "meant_for": meant,
            } });
            self.ana("say", &json!({ "said": rack }));
            let received = json!({ "received": { "rack": number, "serials": serials } });
            self.ana("say", &json!({ "said": received }));
            self.ana("say", &json!({ "said": { "installed": { "rack": number } } }));
        }
        self.until("burn-in", 36);
        let all = (1_u64 << 18) - 1;
        for rack in 0..2 {
            let tested = json!({ "tested_by_hand": {
                "rack": rack, "slots": all, "passed": all, "why": "a simulation",
            } });
            self.ana("say", &json!({ "said": tested }));
        }
        self.until("accepted", 36);
    }
}

#[test]
fn a_tenant_reserves_uses_and_gives_back_and_sees_its_own_alone() {
    let mut desk = Desk::open("tenants");
    let (red, blue) = (desk.red.clone(), desk.blue.clone());
    assert_eq!(desk.get("", &red)["tranches"], json!([]));
    desk.put_up();

    // Rehearsed, nothing has changed; done, it is done once for its key.
    let wanted = json!({
        "contract": "CAP", "tranche": "H1", "gpus": 64, "trays_per_block": 16,
    });
    let dry = desk.door.post("/v1/capacity/reserve?dry_run=true", &red, None, &wanted);
    assert_eq!((dry.status, &dry.json()["blocks"]), (200, &json!([0])), "{}", dry.body);
    assert_eq!(desk.get("/blocks", &red)["blocks"], json!([]));
    let made = desk.red("reserve", &wanted);
    assert_eq!(
        (made.status, &made.json()["blocks"]),
        (200, &json!([0])),
        "{}",
        made.body
    );
    let key = format!("k{}", desk.keys);
    let again = desk.door.post("/v1/capacity/reserve", &red, Some(&key), &wanted);
    assert_eq!((again.status, &again.body), (200, &made.body));
    assert_eq!(desk.get("/blocks", &red)["blocks"].as_array().map(Vec::len), Some(1));
    // Under another's contract, or for another, nobody reserves.
    let other = desk.post("reserve", &blue, &wanted);
    assert_eq!(other.problem(), "not-found", "{}", other.body);
    let for_blue = json!({
        "tenant": "blue", "contract": "CAP", "tranche": "H1", "gpus": 64,
        "trays_per_block": 16,
    });
    assert_eq!(desk.red("reserve", &for_blue).problem(), "not-meant");
    let for_blue = json!({
        "tenant": "blue", "contract": "BLU", "tranche": "B1", "gpus": 64,
        "trays_per_block": 16,
    });
    let placed = desk.ana("reserve", &for_blue);
    assert!(placed.body.contains("R2: 16 trays of one domain"), "{}", placed.body);

    let more = desk.red("reserve", &wanted);
    assert_eq!(more.problem(), "refused", "two trays are left in each domain");
    // Nor more than the contract promises, whatever room there is.
    let beyond = json!({
        "contract": "CAP", "tranche": "H1", "gpus": 660, "trays_per_block": 16,
    });
    let beyond = desk.red("reserve", &beyond);
    assert!(beyond.body.contains("found 660 beside 64"), "{}", beyond.body);

    // A time that no calendar has is refused, and the run goes on.
    let ana = desk.ana.clone();
    let never = json!({ "said": { "due": { "rack": 0, "at": i64::MAX } } });
    assert_eq!(desk.post("say", &ana, &never).problem(), "refused");

    // From the promise to the tenant's hands.
    let by_hand = "a simulation";
    let accept = json!({ "block": 0, "by_hand": by_hand });
    assert_eq!(desk.red("accept", &accept).status, 200);
    assert_eq!(desk.red("hand-over", &json!({ "block": 0 })).problem(), "forbidden");
    desk.ana("accept", &json!({ "block": 1, "by_hand": by_hand }));
    for block in [0, 1] {
        desk.ana("hand-over", &json!({ "block": block }));
    }
    desk.until("in service", 32);

    // The index: stable names, reasons, pages.
    let first = desk.get("/resources?limit=10", &red);
    let next = first["next"].as_str().expect("more of them");
    let rest = desk.get(&format!("/resources?limit=10&cursor={next}"), &red);
    let mut ids: Vec<String> = Vec::new();
    for page in [&first, &rest] {
        for one in page["resources"].as_array().expect("resources") {
            assert_eq!(one["nvlink_domain"], "R1");
            assert_eq!((&one["in_use"], &one["tenant"]), (&json!(true), &json!("red")));
            ids.push(one["id"].as_str().expect("a name").to_owned());
        }
    }
    assert_eq!((ids.len(), ids[3].as_str()), (16, "H1/R1/b-0.03"));
    let foreign = format!("/v1/capacity/resources?limit=10&cursor={next}");
    assert_eq!(desk.door.get(&foreign, &blue).problem(), "bad-request");

    // What is another's is not there.
    let theirs = desk.post("power-cycle", &blue, &json!({ "resource": ids[3] }));
    let nobodys = desk.post("power-cycle", &blue, &json!({ "resource": "H9/R9/b-9.00" }));
    assert_eq!((theirs.status, &theirs.body), (404, &nobodys.body));
    for (path, body) in [
        ("return", json!({ "block": 1, "why": "x" })),
        ("accept", json!({ "block": 1, "by_hand": by_hand })),
        ("cordon", json!({ "resource": "H1/R1/b0.03", "why": "x" })),
        ("cordon", json!({ "resource": ids[0], "why": "x" })),
        ("replace", json!({ "resource": ids[0] })),
        ("return-resource", json!({ "resource": "R1.t03", "why": "x" })),
    ] {
        assert_eq!(desk.post(path, &blue, &body).problem(), "not-found", "{path}");
    }

    // Each counts its own blocks alone: the site's second is blue's first.
    let of_blue = &desk.get("/blocks", &blue)["blocks"][0];
    assert_eq!(
        (&of_blue["block"], &of_blue["model"]),
        (&json!(0), &json!("GB300 NVL72"))
    );
    assert_eq!(of_blue["resources"][0], "B1/R2/b-0.00");
    let of_site = &desk.get("/blocks", &desk.ana)["blocks"][1];
    assert_eq!((&of_site["block"], &of_site["tenant_block"]), (&json!(1), &json!(0)));
    assert_eq!(of_site["resources"][0], "B1/R2/b1.00");

    // Its own it may use, and hears of.
    let bearer = format!("Bearer {red}");
    let listen = [("authorization", bearer.as_str())];
    let path = "/v1/capacity/events?after=0";
    let (head, mut events) = desk.door.begin("GET", path, &listen, "");
    assert_eq!(head.status, 200);
    let (_, told) = events_to(&mut events, "racks");
    assert_eq!((&told["tenant"], &told["about"]), (&json!("red"), &json!("block")));
    let fault = json!({ "resource": ids[5], "why": "a GPU is missing" });
    assert_eq!(desk.red("return-resource", &fault).status, 200);
    let spare = desk.red("replace", &json!({ "resource": ids[5] }));
    assert_eq!(spare.status, 200, "{}", spare.body);
    assert_eq!(desk.red("power-cycle", &json!({ "resource": ids[3] })).status, 200);
    loop {
        let (_, told) = events_to(&mut events, "racks");
        assert_eq!(told["tenant"], "red");
        if told["about"] == "resource" && told["slot"] == "R1.t16" {
            assert_eq!(told["resource"], ids[5].as_str());
            break;
        }
    }
    let (head, mut all) = desk.door.begin(
        "GET",
        "/v1/events?types=racks&after=0",
        &[("authorization", &format!("Bearer {}", desk.ana))],
        "",
    );
    assert_eq!(head.status, 200);
    let (_, told) = events_to(&mut all, "racks");
    assert!(told.get("tenant").is_none() && told["says"].is_string(), "{told}");

    // The tenant's receiver is posted the same, signed.
    let receiver = TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = receiver.local_addr().expect("an address");
    let url = format!("http://{place}/t0ken");
    let given = ["--tenant", "red", "--url", &url, "--json"];
    let (code, made) = desk.door.run.mw(&["webhook", "create"], &given);
    assert_eq!(code, 0, "{made}");
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let (_, listed) = desk.door.run.mw(&["webhook", "list"], &[]);
    assert!(listed.contains("red") && !listed.contains("t0ken"), "{listed}");
    let posted = posted_to(&receiver, &mut desk, &ids[2]);
    let secret = made["secret"].as_str().expect("a secret");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{}.{}", posted.stamp, posted.body).as_bytes());
    let digest = mac.finalize().into_bytes();
    let signature: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(posted.signature, format!("v1={signature}"));
    let event: Value = serde_json::from_str(&posted.body).expect("JSON");
    assert_eq!((&event["tenant"], &event["id"]), (&json!("red"), &json!(posted.key)));
    let id = made["id"].as_str().expect("a name");
    assert_eq!(desk.door.run.mw(&["webhook", "remove"], &[id]).0, 0);

    // Announced work, and a time to put it off.
    let instant = |text: &Value| units::Timestamp::parse(text.as_str().expect("text"));
    let now = instant(&desk.get("", &red)["at"]).expect("an instant");
    let day = |days: i64| (now + units::Seconds::hours(24 * days)).to_string();
    let window = json!({
        "window": "W1", "slots": ["R1.t03"], "start": day(15), "end": day(16),
        "why": "a valve",
    });
    desk.ana("maintenance", &window);
    let found = desk.get("/maintenance", &red);
    assert_eq!(found["windows"][0]["resources"], json!([ids[3]]), "{found}");
    assert_eq!(desk.get("/maintenance", &blue)["windows"], json!([]));
    assert_eq!(found["windows"][0]["why"], "planned work on 1 machine");
    let of_site = desk.get("/maintenance", &desk.ana);
    assert_eq!(of_site["windows"][0]["why"], "a valve");
    let later = json!({ "window": "W1", "start": day(20), "end": day(21) });
    assert_eq!(desk.post("defer-maintenance", &blue, &later).problem(), "not-found");
    assert_eq!(desk.red("defer-maintenance", &later).status, 200);
    assert_eq!(
        instant(&desk.get("/maintenance", &red)["windows"][0]["start"]),
        units::Timestamp::parse(&day(20))
    );

    // What has not begun is called off by the site's people.
    let other = json!({
        "window": "W2", "slots": ["R1.t02"], "start": day(15), "end": day(16),
        "why": "a pump", "told": "cooling work",
    });
    desk.ana("maintenance", &other);
    let off = json!({ "window": "W2", "why": "no pump" });
    assert_eq!(desk.red("cancel-maintenance", &off).problem(), "forbidden");
    desk.ana("cancel-maintenance", &off);
    let window = &desk.get("/maintenance", &red)["windows"][1];
    assert_eq!(
        (&window["cancelled"], &window["why"]),
        (&json!(true), &json!("cooling work")),
        "{window}"
    );
    let again = desk.post("cancel-maintenance", &desk.ana.clone(), &off);
    assert!(again.body.contains("`W2`, which is called off"), "{}", again.body);

    // A flex event is the contract's affair, and on the record.
    let flex = json!({
        "id": "F1", "contract": "CAP", "tranche": "H1", "start": day(1), "end": day(2),
    });
    assert_eq!(desk.red("flex", &flex).problem(), "forbidden");
    desk.ana("flex", &flex);
    assert_eq!(desk.get("/flex", &red)["flexes"][0]["id"], "F1");
    assert_eq!(desk.get("/flex", &blue)["flexes"], json!([]));

    // The tenant counts the seconds again from what it can read.
    let overview = desk.get("", &red);
    let facts = desk.get("/facts?limit=1000", &red);
    let lines: Vec<String> =
        facts["facts"].as_array().expect("facts").iter().map(Value::to_string).collect();
    let file = desk.door.run.folder().join("red.jsonl");
    fs::write(&file, lines.join("\n") + "\n").expect("a file");
    // They are numbered through: it sees that none is missing, and none of another's.
    let all = facts["facts"].as_array().expect("facts");
    let of_racks = all.iter().filter(|fact| fact["source"] == "capacity");
    for (number, fact) in (1..).zip(of_racks) {
        assert_eq!(fact["source_seq"], number, "{fact}");
    }
    let until = overview["at"].as_str().expect("an instant");
    let file = file.display().to_string();
    let counted = mw(&["capacity", "verify", &file, "--until", until, "--json"]);
    let counted: Value = serde_json::from_slice(&counted.stdout).expect("JSON");
    assert_eq!(
        counted["tranches"]["H1"]["available_gpu_seconds"],
        overview["tranches"][0]["available_gpu_seconds"],
    );
    let statements = desk.get("/statements", &red);
    assert_eq!(statements["statements"][0]["contract"], "CAP", "{statements}");
    // What it has paid is in it, and on its record; what others have is on neither.
    let of_h1 = &statements["statements"][0]["prepayment"][0];
    assert_eq!(
        (&of_h1["tranche"], &of_h1["received"]),
        (&json!("H1"), &json!("1234.50"))
    );
    let paid = facts["facts"].as_array().expect("facts").iter();
    let paid: Vec<&Value> = paid.filter(|fact| fact["kind"] == "payment").collect();
    assert_eq!((paid.len(), &paid[0]["body"]["amount"]), (1, &json!("1234.50")));
    assert_eq!(desk.get("/statements", &blue)["statements"], json!([]));

    // Whatever a tenant asks, nothing of another's is in the answer.
    for path in [
        "",
        "/resources",
        "/blocks",
        "/incidents",
        "/maintenance",
        "/flex",
        "/facts",
        "/statements",
    ] {
        let said = desk.get(path, &red).to_string();
        for never in ["blue", "R2", "BLU", "B1"] {
            assert!(!said.contains(never), "{never} in {path}: {said}");
        }
    }
    assert!(desk.get("", &desk.ana).to_string().contains("blue"));

    the_page(&desk);

    // A contract that is changed counts once it is read anew, and no sooner.
    let admin = desk.door.token("Ada", "admin", &[]);
    let larger = CONTRACT.replace("gpus = 720", "gpus = 800");
    fs::write(desk.site.join("contract.toml"), larger).expect("a contract");
    let more = json!({
        "contract": "CAP", "tranche": "H1", "gpus": 700, "trays_per_block": 16,
    });
    let refused = desk.red("reserve", &more);
    assert!(refused.body.contains("the 720 GPUs of the tranche"), "{}", refused.body);
    let read = desk.door.post("/v1/reload", &admin, Some("reload"), &json!({}));
    assert!(read.body.contains("its contracts were read anew"), "{}", read.body);
    let refused = desk.red("reserve", &more);
    assert!(refused.body.contains("found too little"), "{}", refused.body);

    let back = desk.red("return", &json!({ "block": 0, "why": "the term ended" }));
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(desk.get("/resources", &red)["resources"], json!([]));
    assert_eq!(
        desk.red("power-cycle", &json!({ "resource": ids[3] })).problem(),
        "refused",
        "the seat is empty"
    );
}

/// What a receiver was posted.
struct Posted {
    stamp: String,
    signature: String,
    key: String,
    body: String,
}

/// Has something happen to a resource until its tenant's receiver is posted it.
fn posted_to(receiver: &TcpListener, desk: &mut Desk, resource: &str) -> Posted {
    receiver.set_nonblocking(true).expect("a port");
    let mut stream = loop {
        if let Ok((stream, _)) = receiver.accept() {
            break stream;
        }
        // The run looks for new webhooks every second.
        drop(desk.red("power-cycle", &json!({ "resource": resource })));
        let back = json!({ "resource": resource, "why": "a look" });
        drop(desk.red("cordon", &back));
        desk.door.run.status();
    };
    stream.set_nonblocking(false).expect("a stream");
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        match line.trim().split_once(": ") {
            Some((name, value)) => {
                headers.insert(name.to_lowercase(), value.to_owned());
            }
            None if line.trim().is_empty() => break,
            None => assert!(line.starts_with("POST /t0ken "), "{line}"),
        }
    }
    let length = headers["content-length"].parse().expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).expect("an answer");
    Posted {
        stamp: headers["x-megawatt-timestamp"].clone(),
        signature: headers["x-megawatt-signature"].clone(),
        key: headers["idempotency-key"].clone(),
        body: String::from_utf8(body).expect("text"),
    }
}

/// The Capacity page: everything for the site's people, a tenant's own for a tenant.
fn the_page(desk: &Desk) {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let enter = |token: &str| {
        let body = format!("token={token}&then=%2F");
        let entered = desk.door.ask("POST", "/login", &[form], &body);
        assert_eq!(entered.status, 303);
        let set = entered.headers["set-cookie"].split(';').next().expect("a cookie");
        (entered.headers["location"].clone(), set.to_owned())
    };
    let (place, cookie) = enter(&desk.red);
    assert_eq!(place, "/capacity");
    let page = desk.door.ask("GET", "/capacity", &[("cookie", &cookie)], "");
    assert_eq!(page.status, 200, "{}", page.body);
    let html = &page.body;
    for shown in ["CAP/H1", "64 of 720 GPUs accepted", "W1", "for delay so far"] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    for never in ["blue", "R2", "BLU", "Power day", "style=\"", "onclick"] {
        assert!(!html.contains(never), "{never}: {html}");
    }
    assert_eq!(html.matches("<script").count(), 1, "one script, of ours");
    assert_eq!(desk.door.ask("GET", "/", &[("cookie", &cookie)], "").status, 403);
    let (place, cookie) = enter(&desk.ana);
    assert_eq!(place, "/");
    let html = desk.door.ask("GET", "/capacity", &[("cookie", &cookie)], "").body;
    for shown in ["CAP/H1", "BLU/B1", "blue", "Power day"] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
}
