//! The keys of a programme's OpenADR feed.

use super::Quantity as Q;
use super::{Kind, Section, defaulted, not_negative, optional, required};

/// An OpenADR 3.1 feed.
pub(super) static OPENADR: Section = Section {
    meaning: "Where a programme's events come from: a VTN that speaks OpenADR 3.1. \
              [docs/reference/openadr.md](openadr.md) says how its events are read.",
    keys: &[
        required(
            "url",
            Kind::Text,
            "The VTN, such as https://vtn.example/openadr3/3.1.0. Plain HTTP goes to this \
             machine's loopback alone.",
        ),
        required("program", Kind::Text, "The program's name at the VTN, or its id."),
        required(
            "login",
            Kind::Text,
            "Where `client-id:client-secret` is kept: `env:NAME` or `file:PATH`.",
        ),
        defaulted(
            "allow_plain",
            Kind::Flag,
            "false",
            "Whether plain HTTP may go to another machine, in a network of your own.",
        ),
        optional(
            "authorities",
            Kind::Text,
            "Certificate authorities in place of the machine's own, as PEM: `env:NAME` or \
             `file:PATH`.",
        ),
        optional(
            "power_unit",
            Kind::Choice(&["kw", "mw"]),
            "The unit of powers whose payload descriptor names none. Without it such \
             events are quarantined.",
        ),
        optional(
            "emergency_limit_mw",
            not_negative(Q::Megawatts),
            "The most the site draws while an ALERT_GRID_EMERGENCY lasts. Without it the \
             alert is shown.",
        ),
        optional(
            "simple_1_limit_mw",
            not_negative(Q::Megawatts),
            "The most it draws at SIMPLE level 1.",
        ),
        optional(
            "simple_2_limit_mw",
            not_negative(Q::Megawatts),
            "The most it draws at SIMPLE level 2; without it, as at level 1.",
        ),
        optional(
            "simple_3_limit_mw",
            not_negative(Q::Megawatts),
            "The most it draws at SIMPLE level 3; without it, as at level 2.",
        ),
        optional(
            "arm_payload",
            Kind::Text,
            "The program's own payload type that arms a reserve at a level.",
        ),
        optional("disarm_payload", Kind::Text, "The one that ends it."),
        optional("base_point_payload", Kind::Text, "The one for a base point."),
        optional("trip_payload", Kind::Text, "The one that trips the programme's loads."),
        optional("restore_payload", Kind::Text, "The one that lets them come back."),
        optional("test_payload", Kind::Text, "The one for a test at a level."),
    ],
};
