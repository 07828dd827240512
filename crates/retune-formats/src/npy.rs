//! numpy's `.npy` files: one array each, format versions 1 to 3.
//!
//! Layout: the magic `\x93NUMPY`, two version bytes, the header's length (2 bytes little-endian in version 1, else 4),
//! the header, which is a Python dictionary of `descr`, `fortran_order` and `shape`, and the values. Arrays of Python
//! objects are pickles and are refused.

use std::io::Write;
use std::path::Path;

use retune_tensor::{DType, Tensor};

use crate::atomic::write_atomic;
use crate::bytes::{self, ByteOrder};
use crate::error::{FormatError, Problem};
use crate::limits::{Limits, check};
use crate::python_literal::{self, Literal};

const MAGIC: &[u8] = b"\x93NUMPY";
/// numpy pads the header so that the values start at a multiple of this.
const ALIGNMENT: usize = 64;

/// Reads the array of the file at `path`, row-major whatever its order in the file.
///
/// # Errors
/// If the file cannot be read, is not a `.npy` file of a number type, is damaged, or exceeds the default [`Limits`].
pub fn read(path: impl AsRef<Path>) -> Result<Tensor, FormatError> {
    let path = path.as_ref();
    let limits = Limits::default();
    from_bytes(&limits.read_file(path)?, &limits).map_err(|error| error.in_file(path))
}

/// Reads the array of a file whose bytes are at hand.
///
/// # Errors
/// As for [`read`].
pub fn from_bytes(file: &[u8], limits: &Limits) -> Result<Tensor, FormatError> {
    Ok(parse(file, limits)?)
}

fn parse(file: &[u8], limits: &Limits) -> Result<Tensor, Problem> {
    let Some(after_magic) = file.strip_prefix(MAGIC) else {
        let start = &file[..file.len().min(MAGIC.len())];
        return Err(Problem::mismatch(
            "a `.npy` file, which starts `\\x93NUMPY`",
            format_args!("`{}`", start.escape_ascii()),
        ));
    };
    let truncated = |needed: usize| Problem::Truncated { needed: needed as u64, available: after_magic.len() as u64 };
    let (header_bytes, rest) = match after_magic {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [1..=3, ..] | [] => return Err(truncated(6)),
        [version, ..] => return Err(Problem::mismatch("format version 1, 2 or 3", version)),
    };
    let (header, values) = rest.split_at_checked(header_bytes).ok_or_else(|| truncated(header_bytes))?;
    let header = Header::parse(header)?;
    check("the size of all tensors in bytes", values.len() as u64, limits.max_tensor_bytes)?;
    if header.fortran_order && header.shape.len() > 1 {
        let values = from_column_major(values, &header.shape, header.dtype.size_bytes())?;
        return bytes::decode(header.dtype, header.order, header.shape, &values);
    }
    bytes::decode(header.dtype, header.order, header.shape, values)
}

/// Writes `tensor` to the file at `path`, as numpy does (version 1, row-major, little-endian).
///
/// # Errors
/// If the operating system refuses, or the values are bfloat16, which numpy lacks.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<(), FormatError> {
    let path = path.as_ref();
    let bytes = to_bytes(tensor).map_err(|error| error.in_file(path))?;
    write_atomic(path, |writer| Ok(writer.write_all(&bytes)?)).map_err(|error: FormatError| error.in_file(path))
}

/// The bytes of a `.npy` file of `tensor`.
///
/// # Errors
/// If the values are bfloat16, which numpy lacks.
pub fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>, FormatError> {
    let descr = descr(tensor.dtype())?;
    let shape: String = match tensor.shape() {
        [size] => format!("({size},)"),
        shape => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| Problem::TooLarge {
        what: "the `.npy` header's length in bytes",
        found: header.len() as u64,
        limit: u64::from(u16::MAX),
    })?;
    let mut file = [MAGIC, &[1, 0], &length.to_le_bytes(), header.as_bytes()].concat();
    file.extend(bytes::encode(tensor));
    Ok(file)
}

/// numpy's code for a little-endian type.
fn descr(dtype: DType) -> Result<&'static str, Problem> {
    Ok(match dtype {
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::Bool => "|b1",
        DType::BF16 => {
            let hint = "convert the values to float32, or write `.safetensors`";
            return Err(Problem::Unsupported { what: "bfloat16 in a `.npy` file".into(), hint });
        }
    })
}

/// Type and byte order of numpy's code `descr`, such as `<f4`, `>i2`, `|u1`; also of the codes in pickled arrays, which
/// leave the order to another field.
pub(crate) fn parse_descr(descr: &str) -> Result<(DType, ByteOrder), Problem> {
    let (order, code) = match descr.as_bytes().first() {
        Some(b'>') => (ByteOrder::Big, &descr[1..]),
        Some(b'<' | b'|' | b'=') => (ByteOrder::Little, &descr[1..]),
        _ => (ByteOrder::Little, descr),
    };
    let dtype = match code {
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "u1" => DType::U8,
        "u2" => DType::U16,
        "u4" => DType::U32,
        "u8" => DType::U64,
        "b1" => DType::Bool,
        code => {
            let hint = if code.starts_with('O') {
                "arrays of Python objects can run code when loaded; save an array of numbers"
            } else {
                "save the array as floats, integers or booleans"
            };
            return Err(Problem::Unsupported { what: format!("numpy's data type `{descr}`"), hint });
        }
    };
    Ok((dtype, order))
}

struct Header {
    dtype: DType,
    order: ByteOrder,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &[u8]) -> Result<Header, Problem> {
        let text = std::str::from_utf8(text).map_err(|_| Problem::mismatch("a header in UTF-8", "other bytes"))?;
        let Literal::Dict(entries) = python_literal::parse(text)? else {
            return Err(Problem::mismatch("a dictionary as header", "another Python value"));
        };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        for (key, value) in entries {
            let taken = match (key.as_str(), value) {
                ("descr", Literal::Text(code)) => descr.replace(parse_descr(&code)?).is_some(),
                ("descr", Literal::Sequence(_)) => {
                    let hint = "save each field as an array of its own";
                    return Err(Problem::Unsupported { what: "an array of records".into(), hint });
                }
                ("fortran_order", Literal::Bool(flag)) => fortran_order.replace(flag).is_some(),
                ("shape", Literal::Sequence(sizes)) => shape.replace(sizes).is_some(),
                (key, _) => {
                    let expected = "`descr`, `fortran_order` and `shape` of the right kinds in the header";
                    return Err(Problem::mismatch(expected, format_args!("the entry `{key}`")));
                }
            };
            if taken {
                return Err(Problem::Duplicate { name: key });
            }
        }
        let missing = |name| Problem::missing(format_args!("the header's entry `{name}`"));
        let (dtype, order) = descr.ok_or_else(|| missing("descr"))?;
        let sizes = shape.ok_or_else(|| missing("shape"))?;
        let size = |literal: Literal| match literal {
            Literal::Int(size) => usize::try_from(size).ok(),
            _ => None,
        };
        let shape = sizes.into_iter().map(size).collect::<Option<Vec<usize>>>();
        Ok(Header {
            dtype,
            order,
            fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| Problem::mismatch("sizes of 0 or more in `shape`", "other values"))?,
        })
    }
}

/// Rearranges values of `value_bytes` each from column-major order (first axis contiguous) to row-major.
pub(crate) fn from_column_major(values: &[u8], shape: &[usize], value_bytes: usize) -> Result<Vec<u8>, Problem> {
    let count = retune_tensor::tensor::element_count(shape)?;
    if count.checked_mul(value_bytes) != Some(values.len()) {
        let expected = format!("{count} values of {value_bytes} bytes for the shape {shape:?}");
        return Err(Problem::mismatch(expected, format_args!("{} bytes", values.len())));
    }
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = value_bytes;
    for &size in shape {
        strides.push(stride);
        stride = stride.saturating_mul(size);
    }
    let mut rearranged = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    let mut offset = 0;
    for _ in 0..count {
        rearranged.extend_from_slice(&values[offset..offset + value_bytes]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    Ok(rearranged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_numpy_writes() {
        let file = to_bytes(&Tensor::new([3], vec![1u8, 2, 3]).unwrap()).unwrap();
        assert_eq!(file.len(), 128 + 3);
        assert_eq!(&file[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(file[10..].starts_with(b"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }  "));
        assert_eq!(file[127], b'\n');
    }

    #[test]
    fn every_type_round_trips() {
        for &dtype in DType::ALL {
            let bytes: Vec<u8> = (0..6 * dtype.size_bytes()).map(|i| (i % 2) as u8).collect();
            let tensor = bytes::decode(dtype, ByteOrder::Little, vec![2, 1, 3], &bytes).unwrap();
            match to_bytes(&tensor) {
                Ok(file) => assert_eq!(from_bytes(&file, &Limits::default()).unwrap(), tensor),
                Err(error) => assert!(dtype == DType::BF16, "{error}"),
            }
        }
    }

    #[test]
    fn column_major_order_is_undone() {
        // [[1, 2, 3], [4, 5, 6]] with the first axis contiguous.
        assert_eq!(from_column_major(&[1, 4, 2, 5, 3, 6], &[2, 3], 1).unwrap(), [1, 2, 3, 4, 5, 6]);
        assert!(from_column_major(&[1, 4, 2], &[2, 3], 1).is_err());
        assert!(from_column_major(&[], &[0, 3], 1).unwrap().is_empty());
    }
}
