//! Plain bytes to typed values and back, in either byte order.

use half::{bf16, f16};
use retune_tensor::{DType, Tensor, Values};

use crate::error::Problem;

/// Order of the bytes of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// Numbers that have a fixed byte representation.
trait FromBytes: Sized {
    fn decode(bytes: &[u8], order: ByteOrder) -> Vec<Self>;
    fn encode(values: &[Self]) -> Vec<u8>;
}

macro_rules! from_bytes {
    ($($number:ty)*) => { $(
        impl FromBytes for $number {
            fn decode(bytes: &[u8], order: ByteOrder) -> Vec<$number> {
                let (chunks, _) = bytes.as_chunks();
                match order {
                    ByteOrder::Little => chunks.iter().map(|&chunk| <$number>::from_le_bytes(chunk)).collect(),
                    ByteOrder::Big => chunks.iter().map(|&chunk| <$number>::from_be_bytes(chunk)).collect(),
                }
            }

            fn encode(values: &[$number]) -> Vec<u8> {
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            }
        }
    )* };
}

from_bytes! { f32 f64 f16 bf16 i8 i16 i32 i64 u8 u16 u32 u64 }

/// The tensor of type `dtype` and `shape` whose row-major values are `bytes`.
///
/// # Errors
/// If the number of bytes does not fit the shape, or a boolean is neither 0 nor 1.
pub(crate) fn decode(dtype: DType, order: ByteOrder, shape: Vec<usize>, bytes: &[u8]) -> Result<Tensor, Problem> {
    let count = retune_tensor::tensor::element_count(&shape)?;
    let needed = count.checked_mul(dtype.size_bytes());
    if needed != Some(bytes.len()) {
        let expected = format!("{count} values of {dtype} for the shape {shape:?}");
        return Err(Problem::mismatch(expected, format!("{} bytes", bytes.len())));
    }
    let values: Values = match dtype {
        DType::F32 => f32::decode(bytes, order).into(),
        DType::F64 => f64::decode(bytes, order).into(),
        DType::F16 => f16::decode(bytes, order).into(),
        DType::BF16 => bf16::decode(bytes, order).into(),
        DType::I8 => i8::decode(bytes, order).into(),
        DType::I16 => i16::decode(bytes, order).into(),
        DType::I32 => i32::decode(bytes, order).into(),
        DType::I64 => i64::decode(bytes, order).into(),
        DType::U8 => bytes.to_vec().into(),
        DType::U16 => u16::decode(bytes, order).into(),
        DType::U32 => u32::decode(bytes, order).into(),
        DType::U64 => u64::decode(bytes, order).into(),
        DType::Bool => match bytes.iter().find(|&&byte| byte > 1) {
            Some(byte) => return Err(Problem::mismatch("booleans of 0 or 1", byte)),
            None => bytes.iter().map(|&byte| byte == 1).collect::<Vec<bool>>().into(),
        },
    };
    Ok(Tensor::new(shape, values)?)
}

/// The row-major values of `tensor`, little-endian.
pub(crate) fn encode(tensor: &Tensor) -> Vec<u8> {
    match tensor.values() {
        Values::F32(v) => f32::encode(v),
        Values::F64(v) => f64::encode(v),
        Values::F16(v) => f16::encode(v),
        Values::BF16(v) => bf16::encode(v),
        Values::I8(v) => i8::encode(v),
        Values::I16(v) => i16::encode(v),
        Values::I32(v) => i32::encode(v),
        Values::I64(v) => i64::encode(v),
        Values::U8(v) => v.clone(),
        Values::U16(v) => u16::encode(v),
        Values::U32(v) => u32::encode(v),
        Values::U64(v) => u64::encode(v),
        Values::Bool(v) => v.iter().map(|&flag| u8::from(flag)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_and_every_type_round_trip() {
        for &dtype in DType::ALL {
            let bytes: Vec<u8> = (0..2 * dtype.size_bytes() as u8).map(|i| i % 2).collect();
            let tensor = decode(dtype, ByteOrder::Little, vec![2], &bytes).unwrap();
            assert_eq!(tensor.dtype(), dtype);
            assert_eq!(encode(&tensor), bytes);
            let swapped: Vec<u8> =
                bytes.chunks(dtype.size_bytes()).flat_map(|chunk| chunk.iter().rev().copied()).collect();
            assert_eq!(encode(&decode(dtype, ByteOrder::Big, vec![2], &swapped).unwrap()), bytes);
        }
    }

    #[test]
    fn wrong_lengths_and_booleans_are_refused() {
        assert!(decode(DType::F32, ByteOrder::Little, vec![2], &[0; 7]).is_err());
        assert!(decode(DType::F32, ByteOrder::Little, vec![usize::MAX, 3], &[0; 4]).is_err());
        assert!(decode(DType::Bool, ByteOrder::Little, vec![2], &[1, 2]).is_err());
    }
}
