//! How a tensor stands in a file, and what it is turned into.

use std::fmt;

use half::f16;
use retune_tensor::{DType, Tensor};

use crate::bytes::{self, ByteOrder};
use crate::error::Problem;

/// The type of the values of a tensor in a file: those that [`Tensor`] has, and the 8-bit floats, which it has not.
///
/// The 8-bit floats become float16, which holds each of their values exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoredType {
    /// A type that [`Tensor`] has.
    Plain(DType),
    /// 1 sign, 4 exponent, 3 mantissa bits; no infinities; largest value 448 (OCP 8-bit floats, `float8_e4m3fn`).
    F8E4M3,
    /// 1 sign, 5 exponent, 2 mantissa bits: the upper half of a float16 (OCP 8-bit floats, `float8_e5m2`).
    F8E5M2,
}

impl StoredType {
    /// The type's name in numpy and PyTorch.
    pub fn name(self) -> &'static str {
        match self {
            StoredType::Plain(dtype) => dtype.name(),
            StoredType::F8E4M3 => "float8_e4m3fn",
            StoredType::F8E5M2 => "float8_e5m2",
        }
    }

    /// Size of one value in bytes.
    pub fn size_bytes(self) -> usize {
        match self {
            StoredType::Plain(dtype) => dtype.size_bytes(),
            StoredType::F8E4M3 | StoredType::F8E5M2 => 1,
        }
    }

    /// The smallest type of [`Tensor`] that holds the values exactly.
    pub fn dtype(self) -> DType {
        match self {
            StoredType::Plain(dtype) => dtype,
            StoredType::F8E4M3 | StoredType::F8E5M2 => DType::F16,
        }
    }

    /// Whether it is a floating point type.
    pub fn is_float(self) -> bool {
        matches!(self.dtype(), DType::F64 | DType::F32 | DType::F16 | DType::BF16)
    }

    /// The tensor of `shape` whose row-major values are `bytes`.
    pub(crate) fn decode(self, order: ByteOrder, shape: Vec<usize>, bytes: &[u8]) -> Result<Tensor, Problem> {
        let widen = |value: fn(u8) -> f16| -> Result<Tensor, Problem> {
            Ok(Tensor::new(shape.clone(), bytes.iter().map(|&byte| value(byte)).collect::<Vec<f16>>())?)
        };
        match self {
            StoredType::Plain(dtype) => bytes::decode(dtype, order, shape, bytes),
            StoredType::F8E4M3 => widen(from_e4m3),
            StoredType::F8E5M2 => widen(from_e5m2),
        }
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<DType> for StoredType {
    fn from(dtype: DType) -> StoredType {
        StoredType::Plain(dtype)
    }
}

/// What a file says about one of its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorInfo {
    /// Type of the values in the file.
    pub stored: StoredType,
    /// Sizes of the axes, outermost first.
    pub shape: Vec<usize>,
}

/// A tensor whose values were read as another type than the file has them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The tensor.
    pub name: String,
    /// The type in the file.
    pub from: StoredType,
    /// The type it was given. From float64 values are rounded to nearest; all others are kept exactly.
    pub to: DType,
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "converted: `{}` from {} to {}", self.name, self.from, self.to)
    }
}

/// `tensor`, read of values of type `stored`, with floating point values as float32, and what that changed. Integers
/// and booleans (positions, counters, masks) stay what they are.
pub(crate) fn float_to_f32(name: &str, stored: StoredType, tensor: Tensor) -> (Tensor, Option<Conversion>) {
    if !stored.is_float() || stored == StoredType::Plain(DType::F32) {
        return (tensor, None);
    }
    (tensor.into_f32(), Some(Conversion { name: name.to_owned(), from: stored, to: DType::F32 }))
}

fn from_e4m3(byte: u8) -> f16 {
    let (exponent, mantissa) = (i32::from(byte >> 3 & 0xf), f32::from(byte & 7) / 8.0);
    let magnitude = match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa * 2f32.powi(-6),
        _ => (1.0 + mantissa) * 2f32.powi(exponent - 7),
    };
    f16::from_f32(if byte >> 7 == 1 { -magnitude } else { magnitude })
}

fn from_e5m2(byte: u8) -> f16 {
    f16::from_bits(u16::from(byte) << 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_floats() {
        // Values of the OCP specification, section 5.
        let e4m3 = [(0x00, 0.0), (0x01, 0.001_953_125), (0x08, 0.015_625), (0x38, 1.0), (0x7e, 448.0), (0xb8, -1.0)];
        for (byte, value) in e4m3 {
            assert_eq!(from_e4m3(byte).to_f32(), value, "{byte:#x}");
        }
        assert!(from_e4m3(0x7f).is_nan() && from_e4m3(0xff).is_nan());
        let e5m2 = [(0x01, 1.525_878_9e-5), (0x3c, 1.0), (0x7b, 57_344.0), (0xbc, -1.0), (0x7c, f32::INFINITY)];
        for (byte, value) in e5m2 {
            assert_eq!(from_e5m2(byte).to_f32(), value, "{byte:#x}");
        }
        assert!(from_e5m2(0x7d).is_nan());
    }

    #[test]
    fn only_floats_become_f32_and_each_change_is_told() {
        let f64s = Tensor::new([1], vec![0.1f64]).unwrap();
        let (tensor, conversion) = float_to_f32("w", DType::F64.into(), f64s);
        assert_eq!(tensor.as_f32(), Some(&[0.1f32][..]));
        assert_eq!(conversion.unwrap().to_string(), "converted: `w` from float64 to float32");
        let ids = Tensor::new([1], vec![7i64]).unwrap();
        assert_eq!(float_to_f32("ids", DType::I64.into(), ids.clone()), (ids, None));
        let f32s = Tensor::zeros([2]);
        assert_eq!(float_to_f32("w", DType::F32.into(), f32s.clone()), (f32s, None));
    }
}
