//! What do the attributes say to a developer's mistakes, and what do they let through?
//!
//! One file of `ui/fail` is one mistake. After a change of wording, write the answers anew and read them as a user would:
//! `TRYBUILD=overwrite cargo test -p event-detector-macro-tests`.

mod explained;
mod plans;

#[test]
fn a_mistake_is_answered_once_with_its_cure_and_what_is_right_registers() {
    // One set of cases, so that the dependencies are built once: with the files that must run, not a second time to be checked.
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/fail/*.rs");
    cases.pass("ui/pass/*.rs");
}
