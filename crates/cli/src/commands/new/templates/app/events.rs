//! When is there work to do? One file for each subject, with an inline module for each event.

pub mod parcel;
