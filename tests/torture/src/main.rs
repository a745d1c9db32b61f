//! What is promised of a program that is killed, and is it kept?

mod check;
mod history;

fn main() {}
