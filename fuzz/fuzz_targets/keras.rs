//! Keras files in every layout.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retune_formats::Limits;
use retune_formats::keras::KerasFile;

fuzz_target!(|data: &[u8]| {
    let _ = KerasFile::from_bytes(data.to_vec(), &Limits::default());
});
