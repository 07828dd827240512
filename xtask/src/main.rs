//! Developer tasks: assets, goldens, benchmarks, tests.
fn main() {}
