//! Rows of tables: CSV, JSON, Parquet, Arrow, a word a line; read, and copied without some of them. The first byte tells the form.
#![no_main]

#[path = "../../crates/retune-data/tests/it/any_bytes.rs"]
mod any_bytes;

use any_bytes::{FORMS, open_and_copy};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A folder of this process, where there is one in memory.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = base.join(format!("retune-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder that can be made");
    folder
});

fuzz_target!(|data: &[u8]| {
    let Some((&form, bytes)) = data.split_first() else { return };
    open_and_copy(&FOLDER, FORMS[usize::from(form) % FORMS.len()], bytes);
});
