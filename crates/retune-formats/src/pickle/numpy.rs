//! numpy arrays within pickles.

use retune_tensor::Tensor;

use super::machine::GlobalName;
use super::value::Value;
use crate::bytes::{self, ByteOrder};
use crate::error::Problem;
use crate::npy::{from_column_major, parse_descr};

/// The names by which numpy 1 and 2 pickle arrays.
pub const GLOBALS: &[GlobalName] = &[
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
];

/// The array that `value` describes, row-major.
///
/// Protocols 0 to 4 store `_reconstruct(ndarray, (0,), b"b")` with the state `(version, shape, dtype, is_fortran,
/// bytes)`; protocol 5 stores `_frombuffer(bytes, dtype, shape, order)`.
///
/// # Errors
/// If it is no array, an array of Python objects or records, or its bytes do not fit its shape.
pub fn array(value: Value<'_>) -> Result<Tensor, Problem> {
    let not_an_array = || Problem::mismatch("a numpy array", format_args!("a Python {}", value.kind()));
    let instance = value.as_instance().ok_or_else(not_an_array)?;
    let (_, function) = value.follow(instance.callable).as_global().ok_or_else(not_an_array)?;
    let (values, dtype, shape, is_fortran) = match function {
        "_reconstruct" => {
            let state = instance.state.ok_or_else(|| Problem::missing("the state of a numpy array"))?;
            let state: Vec<_> = value.follow(state).items().ok_or_else(not_an_array)?.collect();
            // The version is absent in pickles of numpy before 1.0.
            let (&[_, shape, dtype, is_fortran, values] | &[shape, dtype, is_fortran, values]) = state.as_slice()
            else {
                return Err(not_an_array());
            };
            (values, dtype, shape, is_fortran.as_bool().ok_or_else(not_an_array)?)
        }
        "_frombuffer" => {
            let arguments: Vec<_> = value.follow(instance.arguments).items().ok_or_else(not_an_array)?.collect();
            let &[values, dtype, shape, order] = arguments.as_slice() else { return Err(not_an_array()) };
            (values, dtype, shape, order.as_text() == Some("F"))
        }
        _ => return Err(not_an_array()),
    };
    let (dtype, order) = data_type(dtype)?;
    let shape: Option<Vec<usize>> = shape.items().and_then(|sizes| sizes.map(Value::as_usize).collect());
    let shape = shape.ok_or_else(|| Problem::mismatch("sizes of 0 or more as shape", "other values"))?;
    let values = values.as_bytes().ok_or_else(|| Problem::mismatch("the values as bytes", values.kind()))?;
    if is_fortran && shape.len() > 1 {
        let values = from_column_major(values, &shape, dtype.size_bytes())?;
        return bytes::decode(dtype, order, shape, &values);
    }
    bytes::decode(dtype, order, shape, values)
}

/// The type that `dtype(code, align, copy)` with the state `(version, byte order, …)` describes.
fn data_type(value: Value<'_>) -> Result<(retune_tensor::DType, ByteOrder), Problem> {
    let not_a_dtype = || Problem::mismatch("a numpy data type", format_args!("a Python {}", value.kind()));
    let instance = value.as_instance().ok_or_else(not_a_dtype)?;
    if value.follow(instance.callable).as_global() != Some(("numpy", "dtype")) {
        return Err(not_a_dtype());
    }
    let code = value.follow(instance.arguments).items().and_then(|mut arguments| arguments.next()?.as_text());
    let (dtype, order) = parse_descr(code.ok_or_else(not_a_dtype)?)?;
    let state = instance.state.and_then(|state| value.follow(state).items()?.nth(1)?.as_text());
    Ok((dtype, if state == Some(">") { ByteOrder::Big } else { order }))
}
