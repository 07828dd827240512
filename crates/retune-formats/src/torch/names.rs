//! The Python names that a PyTorch file may contain, and what those of types mean.

use retune_tensor::DType;

use crate::pickle::GlobalName;
use crate::stored::StoredType;

/// Functions that rebuild a tensor of storage, offset, sizes and strides.
pub(super) const REBUILD_TENSOR: [&str; 3] = ["_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"];
/// Functions that wrap a tensor, their first argument.
pub(super) const REBUILD_PARAMETER: [&str; 2] = ["_rebuild_parameter", "_rebuild_parameter_with_state"];
/// The function that gives a tensor another Python class: `(function, class, arguments, state)`.
pub(super) const REBUILD_FROM_TYPE: &str = "_rebuild_from_type_v2";
/// The modules of TorchScript, which compiles classes under mangled names.
pub(super) const SCRIPT_MODULE: &str = "__torch__";

/// Every name that is permitted. None is ever called: those without a meaning here are data that is passed over.
pub(super) const GLOBALS: &[GlobalName] = &[
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("collections", "Counter"),
    ("argparse", "Namespace"),
    ("builtins", "set"),
    ("builtins", "dict"),
    ("builtins", "list"),
    ("builtins", "int"),
    ("builtins", "float"),
    ("__builtin__", "set"),
    ("__builtin__", "dict"),
    ("__builtin__", "list"),
    ("__builtin__", "int"),
    ("__builtin__", "float"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("torch", "Size"),
    ("torch", "device"),
    ("torch", "Tensor"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_tensor_v3"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_parameter_with_state"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.nn.parameter", "Buffer"),
    ("torch.jit._pickle", "build_intlist"),
    ("torch.jit._pickle", "build_doublelist"),
    ("torch.jit._pickle", "build_boollist"),
    ("torch.jit._pickle", "build_tensorlist"),
    ("torch.jit._pickle", "restore_type_tag"),
    ("__torch__*", "*"),
    ("torch.storage", "UntypedStorage"),
    ("torch.storage", "_UntypedStorage"),
    ("torch", "*Storage"),
    ("torch.cuda", "*Storage"),
    ("torch", "float64"),
    ("torch", "float32"),
    ("torch", "float16"),
    ("torch", "bfloat16"),
    ("torch", "float8_e4m3fn"),
    ("torch", "float8_e5m2"),
    ("torch", "int8"),
    ("torch", "int16"),
    ("torch", "int32"),
    ("torch", "int64"),
    ("torch", "uint8"),
    ("torch", "uint16"),
    ("torch", "uint32"),
    ("torch", "uint64"),
    ("torch", "bool"),
    ("torch", "complex64"),
    ("torch", "complex128"),
    ("torch", "strided"),
];

/// The elements of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elements {
    /// Bytes, whose meaning the tensor tells.
    Bytes,
    /// Numbers that are read.
    Numbers(StoredType),
    /// Numbers that are not read, of this size in bytes.
    Other(usize),
}

impl Elements {
    pub(super) fn size_bytes(self) -> usize {
        match self {
            Elements::Bytes => 1,
            Elements::Numbers(stored) => stored.size_bytes(),
            Elements::Other(size) => size,
        }
    }
}

/// The elements of the storage class `module.name`.
pub(super) fn storage_elements(module: &str, name: &str) -> Option<Elements> {
    if module == "torch.storage" {
        return Some(Elements::Bytes);
    }
    let dtype = match name.strip_suffix("Storage")? {
        "Untyped" => return Some(Elements::Bytes),
        "Double" => DType::F64,
        "Float" => DType::F32,
        "Half" => DType::F16,
        "BFloat16" => DType::BF16,
        "Long" => DType::I64,
        "Int" => DType::I32,
        "Short" => DType::I16,
        "Char" => DType::I8,
        "Byte" => DType::U8,
        "Bool" => DType::Bool,
        "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" => return Some(Elements::Other(1)),
        "QInt32" => return Some(Elements::Other(4)),
        "ComplexFloat" => return Some(Elements::Other(8)),
        "ComplexDouble" => return Some(Elements::Other(16)),
        _ => return None,
    };
    Some(Elements::Numbers(dtype.into()))
}

/// The type `torch.<name>`.
pub(super) fn dtype(name: &str) -> Option<StoredType> {
    match name {
        "float8_e4m3fn" => Some(StoredType::F8E4M3),
        "float8_e5m2" => Some(StoredType::F8E5M2),
        name => DType::from_name(name).map(StoredType::from),
    }
}
