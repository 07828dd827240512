//! `.safetensors` files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retune_formats::Limits;
use retune_formats::safetensors::SafetensorsFile;

fuzz_target!(|data: &[u8]| {
    let _ = SafetensorsFile::from_bytes(data, &Limits::default());
});
