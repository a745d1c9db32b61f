//! The embedded ledger: one SQLite database on one node.
