//! PyTorch's files: zip and legacy layout, and the tensors in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retune_formats::Limits;
use retune_formats::torch::TorchFile;

fuzz_target!(|data: &[u8]| {
    if let Ok(file) = TorchFile::from_bytes(data.to_vec(), &Limits::default()) {
        for (name, _) in file.infos() {
            let _ = file.tensor(name);
        }
    }
});
