//! A state dictionary as `torch.save` writes it.

use std::io::{Seek, Write};
use std::path::Path;

use indexmap::IndexSet;
use retune_tensor::{DType, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::atomic::write_atomic;
use crate::bytes;
use crate::error::{FormatError, Problem};

/// The folder of all members; PyTorch takes the file's name, which would make the bytes depend on it.
const ROOT: &str = "archive";
/// PyTorch starts each storage at a multiple of this, so that files can be mapped.
const ALIGNMENT: u16 = 64;

/// Writes tensors to the file at `path` in PyTorch's zip layout, which `torch.load(path, weights_only=True)` reads.
///
/// The object is an `OrderedDict` of the tensors; with `wrapper`, a dictionary with that one key around it
/// (`Some("state_dict")` gives `{"state_dict": …}`). Names that are given the very same tensor share its storage, as
/// tied weights do. The same contents give the same bytes every time.
///
/// # Errors
/// If the operating system refuses, or a name occurs twice.
pub fn write<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    wrapper: Option<&str>,
) -> Result<(), FormatError> {
    let path = path.as_ref();
    let tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    let mut names = IndexSet::new();
    if let Some((name, _)) = tensors.iter().find(|(name, _)| !names.insert(*name)) {
        return Err(Problem::Duplicate { name: (*name).to_owned() }.at("").in_file(path));
    }
    write_atomic(path, |writer| archive(&tensors, wrapper, writer)).map_err(|error| error.in_file(path))
}

fn archive(tensors: &[(&str, &Tensor)], wrapper: Option<&str>, writer: impl Write + Seek) -> Result<(), FormatError> {
    // Tensors are told apart by their address.
    let mut storages: IndexSet<*const Tensor> = IndexSet::new();
    let mut pickle = Pickle { bytes: vec![0x80, 2] };
    if let Some(key) = wrapper {
        pickle.bytes.push(b'}');
        pickle.text(key);
    }
    pickle.ordered_dict();
    pickle.bytes.push(b'(');
    for (name, tensor) in tensors {
        let (storage, _) = storages.insert_full(std::ptr::from_ref(*tensor));
        pickle.text(name);
        pickle.tensor(storage, tensor);
    }
    pickle.bytes.push(b'u');
    if wrapper.is_some() {
        pickle.bytes.push(b's');
    }
    pickle.bytes.push(b'.');

    let mut zip = ZipWriter::new(writer);
    let mut member = |name: &str, data: &[u8]| -> Result<(), FormatError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .with_alignment(ALIGNMENT)
            .large_file(data.len() as u64 >= u64::from(u32::MAX));
        zip.start_file(format!("{ROOT}/{name}"), options).map_err(|error| Problem::from(error).at(name))?;
        zip.write_all(data).map_err(|error| Problem::Io(error).at(name))
    };
    member("data.pkl", &pickle.bytes)?;
    member(".format_version", b"1")?;
    member(".storage_alignment", ALIGNMENT.to_string().as_bytes())?;
    member("byteorder", b"little")?;
    let mut written = IndexSet::new();
    for (_, tensor) in tensors {
        let (storage, is_new) = written.insert_full(std::ptr::from_ref(*tensor));
        if is_new {
            member(&format!("data/{storage}"), &bytes::encode(tensor))?;
        }
    }
    member("version", b"3\n")?;
    zip.finish().map_err(Problem::from)?.flush().map_err(Problem::from)?;
    Ok(())
}

/// A pickle of protocol 2 in the making.
struct Pickle {
    bytes: Vec<u8>,
}

impl Pickle {
    fn text(&mut self, text: &str) {
        self.bytes.push(b'X');
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.as_bytes());
    }

    /// An integer: in 4 bytes if it fits, else in 8.
    fn integer(&mut self, number: usize) {
        match i32::try_from(number) {
            Ok(number) => {
                self.bytes.push(b'J');
                self.bytes.extend(number.to_le_bytes());
            }
            Err(_) => {
                self.bytes.extend([0x8a, 9]);
                self.bytes.extend((number as u64).to_le_bytes());
                // The sign.
                self.bytes.push(0);
            }
        }
    }

    fn integers(&mut self, numbers: &[usize]) {
        self.bytes.push(b'(');
        for &number in numbers {
            self.integer(number);
        }
        self.bytes.push(b't');
    }

    fn global(&mut self, module: &str, name: &str) {
        self.bytes.extend(format!("c{module}\n{name}\n").as_bytes());
    }

    /// A call of `collections.OrderedDict()`.
    fn ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.bytes.extend(b")R");
    }

    /// A call of `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, requires_grad, hooks)`; types that have
    /// no storage class of their own go by `_rebuild_tensor_v3`, which names the type.
    fn tensor(&mut self, storage: usize, tensor: &Tensor) {
        let class = storage_class(tensor.dtype());
        self.global("torch._utils", if class.is_some() { "_rebuild_tensor_v2" } else { "_rebuild_tensor_v3" });
        self.bytes.extend(b"((");
        self.text("storage");
        match class {
            Some(class) => self.global("torch", class),
            None => self.global("torch.storage", "UntypedStorage"),
        }
        self.text(&storage.to_string());
        self.text("cpu");
        self.integer(if class.is_some() { tensor.len() } else { tensor.size_bytes() });
        self.bytes.extend(b"tQ");
        self.integer(0);
        self.integers(tensor.shape());
        self.integers(&row_major_strides(tensor.shape()));
        self.bytes.push(0x89);
        self.ordered_dict();
        if class.is_none() {
            self.global("torch", tensor.dtype().name());
        }
        self.bytes.extend(b"tR");
    }
}

fn storage_class(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::F64 => Some("DoubleStorage"),
        DType::F32 => Some("FloatStorage"),
        DType::F16 => Some("HalfStorage"),
        DType::BF16 => Some("BFloat16Storage"),
        DType::I64 => Some("LongStorage"),
        DType::I32 => Some("IntStorage"),
        DType::I16 => Some("ShortStorage"),
        DType::I8 => Some("CharStorage"),
        DType::U8 => Some("ByteStorage"),
        DType::Bool => Some("BoolStorage"),
        DType::U16 | DType::U32 | DType::U64 => None,
    }
}

fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}
