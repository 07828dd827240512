//! PyTorch's files (`.pt`, `.pth`, `.bin`, `.th`): tensors by name, read as data, never executed.
//!
//! - [`TorchFile`]: an open file: its state dictionaries, tensors one at a time, the values beside them.
//! - [`write`](write()): a state dictionary as `torch.save` writes it and `torch.load(weights_only=True)` reads it.
//!
//! Inside: `zip_layout` and `legacy_layout` (where the pickle and the values stand), `names` (the Python names that are
//! understood), `objects` (what the pickle says), `view` (strided tensors over storages).
//!
//! A file is a pickle of nested dictionaries in which a tensor is a call of `torch._utils._rebuild_tensor_v2` with a
//! storage (an array of bytes, named by a key), an offset, sizes and strides; several tensors may use one storage.
//! Since PyTorch 1.6 it is a zip archive: `<root>/data.pkl`, the storages `<root>/data/<key>`, the order of bytes in
//! `<root>/byteorder`. Before (and with `_use_new_zipfile_serialization=False`) it is a row of pickles: a magic number,
//! the protocol 1001, facts about the system, the object, the list of storage keys; then each storage as a count of
//! elements (8 bytes) and the elements, little-endian. A TorchScript archive is read like the former: its modules are
//! objects whose attributes are a state dictionary's names.

mod file;
mod legacy_layout;
mod names;
mod objects;
mod view;
mod write;
mod zip_layout;

pub use file::{Layout, TorchFile};
pub use objects::Scalar;
pub use write::write;
