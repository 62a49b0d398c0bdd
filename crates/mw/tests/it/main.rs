//! The program's integration tests, one module a subject.

mod backtest;
mod bad_input;
mod books;
mod books_oracle;
mod capacity;
mod driven;
mod emulated_modbus;
mod emulated_openadr;
mod hindsight;
mod live;
mod live_kill;
mod modbus_oracle;
mod oracle;
mod racks;
mod redfish;
mod redfish_oracle;
mod report;
mod rigs;
mod rigs_oracle;
mod settle;
mod site_file;
mod two_futures;
mod under_contract;
mod verify;
