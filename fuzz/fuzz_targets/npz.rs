//! numpy's `.npz` files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retune_formats::{Limits, npz};

fuzz_target!(|data: &[u8]| {
    let _ = npz::from_bytes(data, &Limits::default());
});
