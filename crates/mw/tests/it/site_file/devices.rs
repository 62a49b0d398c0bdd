//! A site file's devices: where they are, and what is wrong with where they are said to be.

use super::{RIGHT, example, read};

/// The devices of the right file, put where they belong.
pub(super) fn with_devices() -> String {
    let network = "[network]\nallow = [\"10.20.0.0/16\", \"10.30.0.0/24\"]\n\n[pool]";
    let grid = "export_limit_mw = 1\nmeter = { driver = \"modbus\", address = \
                \"10.30.0.1\", profile = \"mw-meter\" }\n";
    let rigs = "restart_cost_usd = 0.02\n\n[rigs.devices]\ndriver = \"whatsminer\"\n\
                first = \"10.20.0.1\"\nlogin = \"env:MINERS\"\n\
                pools = [\"stratum+tcp://pool.example:3333\"]\n";
    let racks = "devices = { driver = \"redfish\", first = \"10.20.1.1\", login = \
                 \"file:bmc\" }\ncontracted = {";
    let battery = "discharge_above_usd_per_mwh = 100\ndevice = { driver = \"modbus\", \
                   address = \"10.30.0.2\", profile = \"mw-battery\" }\n";
    RIGHT
        .replace("[pool]", network)
        .replace("export_limit_mw = 1\n", grid)
        .replace("restart_cost_usd = 0.02\n", rigs)
        .replace("contracted = {", racks)
        .replace("discharge_above_usd_per_mwh = 100\n", battery)
}

#[test]
fn devices_are_where_the_file_says() {
    let loaded = read(&with_devices()).unwrap_or_else(|said| panic!("{said}"));
    let devices = &loaded.devices;
    let places: Vec<String> = devices
        .loads
        .iter()
        .flatten()
        .map(|placed| {
            let last = placed.address(placed.count - 1);
            format!("{} {} to {last}", placed.driver.name(), placed.address(0))
        })
        .collect();
    assert_eq!(
        places,
        [
            "whatsminer 10.20.0.1:4028 to 10.20.0.100:4028",
            "redfish 10.20.1.1:443 to 10.20.1.180:443",
            "modbus 10.30.0.2:502 to 10.30.0.2:502",
        ]
    );
    let meter = devices.meter.as_ref().expect("a meter");
    assert_eq!(meter.address(0).to_string(), "10.30.0.1:502");
    // Loads without devices stay as they are.
    assert!(devices.loads[2].is_none());
    assert!(example("mixed-10mw").devices.loads.iter().all(Option::is_none));
}

#[test]
fn what_is_wrong_with_devices_says_where_and_what_to_do() {
    for (from, to, expected) in [
        (
            "[network]\nallow = [\"10.20.0.0/16\", \"10.30.0.0/24\"]\n",
            "",
            "write `[network]`",
        ),
        ("10.30.0.0/24", "10.30.0.7/24", "expected the first address of the network"),
        ("10.30.0.0/24", "10.30.0.0", "expected a network such as"),
        (
            "first = \"10.20.0.1\"",
            "first = \"10.20.255.200\"",
            "10.21.0.1 outside of them",
        ),
        ("first = \"10.20.0.1\"", "first = \"10.20.0.0\"", "does not end in 0 or 255"),
        ("first = \"10.20.0.1\"", "first = \"miner.example\"", "an IPv4 address"),
        ("first = \"10.20.0.1\"", "first = \"::1\"", "an IPv4 address"),
        ("login = \"env:MINERS\"\n", "", "a login, which whatsminer asks for"),
        ("login = \"env:MINERS\"", "login = \"hunter2\"", "found something else"),
        (
            "driver = \"whatsminer\"",
            "driver = \"whatsmine\"",
            "expected \"whatsminer\" or",
        ),
        (
            "stratum+tcp://pool.example:3333",
            "stratum+tcp://me:pw@pool.example:3333",
            "workers and passwords have no place here",
        ),
        (
            "first = \"10.20.1.1\", login",
            "first = \"10.20.1.1\", port = 70000, login",
            "a port from 1 to 65535",
        ),
        (
            "first = \"10.20.1.1\", login",
            "first = \"10.20.0.50\", port = 4028, login",
            "addresses of their own",
        ),
        (
            "first = \"10.20.1.1\", login",
            "first = \"10.20.1.1\", tray = 9, login",
            "did you mean `trays`?",
        ),
        (
            "profile = \"mw-meter\"",
            "profile = \"mw-meter\", unit = 300",
            "a unit from 0 to 247",
        ),
    ] {
        let text = with_devices();
        assert!(text.contains(from), "{from}");
        let said = read(&text.replace(from, to)).expect_err("something is wrong");
        assert!(said.contains(expected), "{to}: {said}");
        assert!(!said.contains("hunter2"), "a secret is not repeated: {said}");
    }
}
