//! Every group, data set and attribute of an HDF5 file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retune_formats::hdf5::{Hdf5File, Hdf5Group};
use retune_formats::{FormatError, Limits};

fuzz_target!(|data: &[u8]| {
    if let Ok(file) = Hdf5File::from_bytes(data.to_vec(), &Limits::default()) {
        let _ = visit(&file.root());
    }
});

fn visit(group: &Hdf5Group<'_>) -> Result<(), FormatError> {
    group.attributes()?;
    for (_, dataset) in group.datasets()? {
        // A data set that cannot be read does not keep its neighbours from being tried.
        let _ = dataset.read();
    }
    group.groups()?.iter().try_for_each(|(_, child)| visit(child))
}
