//! The `retune` command line.
fn main() {}
