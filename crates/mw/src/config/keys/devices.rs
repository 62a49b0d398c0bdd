//! The keys that say where devices are.

use super::Quantity as Q;
use super::{Kind, Section, defaulted, not_negative, optional, positive, required};

pub(super) static RIG_DEVICES: Section = Section {
    meaning: "Where the machines are: numbered upward from a first address.",
    keys: &[
        required(
            "driver",
            Kind::Choice(&["whatsminer", "cgminer", "asic_rs"]),
            "What they speak: the encrypted interface of Whatsminer firmware, the one that \
             cgminer began, or whatever the library `asic-rs` knows, at the ports that it \
             knows, where the program is built with the feature `asic-rs`.",
        ),
        required("first", Kind::Text, FIRST),
        defaulted("port", positive(Q::Count), "4028", "The port they listen on."),
        optional("login", Kind::Text, LOGIN),
        optional(
            "pools",
            Kind::Names,
            "Where they are to send their work, most preferred first, such as \
             `stratum+tcp://pool.example:3333`. A machine that sends it elsewhere is an \
             alarm. Without it nobody watches.",
        ),
    ],
};

const FIRST: &str = "The address of machine 0, such as `10.20.0.1`. The others follow \
                     upward; addresses that end in 0 or 255 are left out.";

const LOGIN: &str = "Where the login is kept: `env:NAME` or `file:PATH`. It is \
                     `user:password`, or the password alone where the device has one user.";

pub(super) static RACK_DEVICES: Section = Section {
    meaning: "Where the trays of the racks are: numbered upward from a first address, \
              rack after rack.",
    keys: &[
        required("driver", Kind::Choice(&["redfish"]), "What their controllers speak."),
        required("first", Kind::Text, FIRST),
        defaulted("trays", positive(Q::Count), "18", "How many trays a rack has."),
        optional(
            "shelves",
            Kind::Text,
            "The address of the power shelf of rack 0; the others follow upward, one a \
             rack. The census looks for them, and asks them with the login of the trays.",
        ),
        optional(
            "switches",
            Kind::Text,
            "The address of switch tray 0 of rack 0; the others follow upward, rack after \
             rack. They are asked with the login of the trays: a rack of which one does not \
             work is no whole NVLink domain. Without it the trays say what is wrong.",
        ),
        defaulted(
            "switch_trays",
            positive(Q::Count),
            "9",
            "How many switch trays a rack has, at most 16.",
        ),
        optional(
            "drives",
            not_negative(Q::Count),
            "How many drives a tray has that a tenant may write to: so many have to be seen \
             erased until it is wiped; 0 is for trays without. Where it is left out, those \
             that a tray shows, and at least one.",
        ),
        optional(
            "exporters",
            Kind::Text,
            "The address of the DCGM exporter of tray 0; the others follow upward, one a \
             tray. They are asked until a tenant has the tray: for GPUs that are missing, \
             broken, or whose links count errors.",
        ),
        defaulted(
            "exporter_port",
            positive(Q::Count),
            "9400",
            "The port that exporters listen on.",
        ),
        optional(
            "cabling",
            Kind::Text,
            "A file, from where this file is, of what each network port of a tray is to be \
             plugged into: lines of `slot,port,switch,switch_port`, such as \
             `R0001.t03,mlx5_0,leaf3,swp7`. What LLDP shows otherwise keeps the tray from \
             everybody.",
        ),
        defaulted("port", positive(Q::Count), "443", "The port they listen on."),
        defaulted(
            "tls",
            Kind::Flag,
            "true",
            "Whether they are spoken to over TLS; the certificate that is seen first is \
             expected from then on. `false` is for a network of their own.",
        ),
        optional("login", Kind::Text, LOGIN),
    ],
};

pub(super) static BATTERY_DEVICE: Section = Section {
    meaning: "Where the battery's controller is.",
    keys: &[
        required("driver", Kind::Choice(&["modbus"]), "What it speaks."),
        required("address", Kind::Text, "Its address, such as `10.20.0.1`."),
        defaulted("port", positive(Q::Count), "502", "The port it listens on."),
        defaulted(
            "unit",
            not_negative(Q::Count),
            "1",
            "The unit it is behind a gateway, 0 to 247.",
        ),
        required("profile", Kind::Text, PROFILE),
    ],
};

const PROFILE: &str = "The profile of its registers: one of the program's by name, or a \
                       file, from where this file is.";

pub(super) static METER: Section = Section {
    meaning: "The meter at the interconnection.",
    keys: &[
        required("driver", Kind::Choice(&["modbus"]), "What it speaks."),
        required("address", Kind::Text, "Its address, such as `10.20.0.1`."),
        defaulted("port", positive(Q::Count), "502", "The port it listens on."),
        defaulted(
            "unit",
            not_negative(Q::Count),
            "1",
            "The unit it is behind a gateway, 0 to 247.",
        ),
        required("profile", Kind::Text, PROFILE),
    ],
};

pub(super) static NETWORK: Section = Section {
    meaning: "The networks that the site's devices are in. The program connects to devices \
              there and nowhere else.",
    keys: &[
        required(
            "allow",
            Kind::Names,
            "The networks, such as `10.20.0.0/16`. Loopback is reached where it is listed.",
        ),
        defaulted(
            "search_per_second",
            positive(Q::Count),
            "200",
            "How many connections a second a search for devices may open, over all networks.",
        ),
    ],
};
