//! The ledger as a program meets it: what is asked for, killed, damaged and opened again.

mod conformance;
mod damage;
mod desk;
mod files;
mod full;
mod groups;
mod kill;
mod locks;
mod model;
mod refused;
mod retention;
mod support;
