//! numpy's `.npy` files; what is read must survive being written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retune_formats::{Limits, npy};

fuzz_target!(|data: &[u8]| {
    if let Ok(array) = npy::from_bytes(data, &Limits::default()) {
        let written = npy::to_bytes(&array).expect("every type that numpy has can be written");
        npy::from_bytes(&written, &Limits::default()).expect("what was written can be read");
    }
});
