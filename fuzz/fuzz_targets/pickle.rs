//! Pickles and the numpy arrays in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retune_formats::Limits;
use retune_formats::pickle::{numpy, parse_prefix};

fuzz_target!(|data: &[u8]| {
    if let Ok((pickle, _)) = parse_prefix(data, numpy::GLOBALS, &Limits::default()) {
        let root = pickle.root();
        let _ = numpy::array(root);
        for (_, value) in root.entries().into_iter().flatten() {
            let _ = numpy::array(value);
        }
    }
});
