//! HDF5 number types and [`DType`], in both directions.

use hdf5_pure::{Datatype, DatatypeByteOrder, EnumMember, EnumTypeBuilder, FixedPointLayout, FloatingPointLayout};
use retune_tensor::DType;

use crate::bytes::ByteOrder;
use crate::error::Problem;

/// The attribute, and its value, by which Keras marks the data set of two opaque bytes a value that holds bfloat16.
pub(super) const BFLOAT16_ATTRIBUTE: (&str, &str) = ("dtype", "bfloat16");

const F16_LAYOUT: FloatingPointLayout = FloatingPointLayout {
    bit_offset: 0,
    bit_precision: 16,
    exponent_location: 10,
    exponent_size: 5,
    mantissa_location: 0,
    mantissa_size: 10,
    exponent_bias: 15,
};

const BF16_LAYOUT: FloatingPointLayout = FloatingPointLayout {
    bit_offset: 0,
    bit_precision: 16,
    exponent_location: 7,
    exponent_size: 8,
    mantissa_location: 0,
    mantissa_size: 7,
    exponent_bias: 127,
};

/// The type and byte order of a data set's values.
///
/// `marked_bfloat16`: whether the data set carries Keras's mark for bfloat16. h5py's booleans (an enumeration
/// of `FALSE` and `TRUE` over `int8`) are [`DType::Bool`].
pub(super) fn from_hdf5(datatype: &Datatype, marked_bfloat16: bool) -> Result<(DType, ByteOrder), Problem> {
    let unsupported = || Problem::Unsupported {
        what: format!("the HDF5 data type {}", describe(datatype)),
        hint: "save the values as IEEE floats or plain integers",
    };
    let order = |order: &DatatypeByteOrder| match order {
        DatatypeByteOrder::LittleEndian => Ok(ByteOrder::Little),
        DatatypeByteOrder::BigEndian => Ok(ByteOrder::Big),
        _ => Err(unsupported()),
    };
    match datatype {
        Datatype::FloatingPoint { size, byte_order, layout } => {
            let dtype = match (size, layout) {
                (2, layout) if *layout == F16_LAYOUT => DType::F16,
                (2, layout) if *layout == BF16_LAYOUT => DType::BF16,
                (4, layout) if *layout == FloatingPointLayout::IEEE754_BINARY32 => DType::F32,
                (8, layout) if *layout == FloatingPointLayout::IEEE754_BINARY64 => DType::F64,
                _ => return Err(unsupported()),
            };
            Ok((dtype, order(byte_order)?))
        }
        Datatype::FixedPoint { size, byte_order, layout } => {
            if layout.bit_offset != 0 || u32::from(layout.bit_precision) != size.saturating_mul(8) {
                return Err(unsupported());
            }
            let dtype = match (size, layout.signed) {
                (1, true) => DType::I8,
                (2, true) => DType::I16,
                (4, true) => DType::I32,
                (8, true) => DType::I64,
                (1, false) => DType::U8,
                (2, false) => DType::U16,
                (4, false) => DType::U32,
                (8, false) => DType::U64,
                _ => return Err(unsupported()),
            };
            Ok((dtype, order(byte_order)?))
        }
        Datatype::Enumeration { size: 1, members, .. } => {
            let is = |member: &EnumMember, name: &str, value: u8| member.name == name && member.value == [value];
            match members.as_slice() {
                [no, yes] if is(no, "FALSE", 0) && is(yes, "TRUE", 1) => Ok((DType::Bool, ByteOrder::Little)),
                _ => Err(unsupported()),
            }
        }
        Datatype::Opaque { size: 2, .. } if marked_bfloat16 => Ok((DType::BF16, ByteOrder::Little)),
        _ => Err(unsupported()),
    }
}

/// Whether values of this type are strings, of fixed or variable length.
pub(super) fn is_text(datatype: &Datatype) -> bool {
    matches!(datatype, Datatype::String { .. } | Datatype::VariableLength { is_string: true, .. })
}

/// The HDF5 type that h5py writes for `dtype`, little-endian.
pub(super) fn to_hdf5(dtype: DType) -> Datatype {
    let byte_order = DatatypeByteOrder::LittleEndian;
    let float =
        |layout: FloatingPointLayout| Datatype::FloatingPoint { size: dtype.size_bytes() as u32, byte_order, layout };
    let integer = |signed: bool| Datatype::FixedPoint {
        size: dtype.size_bytes() as u32,
        byte_order,
        layout: FixedPointLayout { signed, bit_offset: 0, bit_precision: 8 * dtype.size_bytes() as u16 },
    };
    match dtype {
        DType::F16 => float(F16_LAYOUT),
        DType::F32 => float(FloatingPointLayout::IEEE754_BINARY32),
        DType::F64 => float(FloatingPointLayout::IEEE754_BINARY64),
        DType::BF16 => Datatype::Opaque { size: 2, tag: Vec::new() },
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => integer(true),
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => integer(false),
        DType::Bool => EnumTypeBuilder::with_base(integer(true))
            .raw_value("FALSE", &[0])
            .raw_value("TRUE", &[1])
            .build()
            .expect("two distinct one-byte values make an enumeration of one byte"),
    }
}

/// A short name of an HDF5 type for messages.
fn describe(datatype: &Datatype) -> String {
    match datatype {
        Datatype::FloatingPoint { size, .. } => format!("`float of {size} bytes in an unusual layout`"),
        Datatype::FixedPoint { size, .. } => format!("`integer of {size} bytes in an unusual layout`"),
        Datatype::Time { .. } => "`time`".into(),
        Datatype::String { .. } => "`string`".into(),
        Datatype::BitField { .. } => "`bit field`".into(),
        Datatype::Opaque { size, .. } => format!("`opaque of {size} bytes`"),
        Datatype::Compound { .. } => "`compound`".into(),
        Datatype::Reference { .. } => "`reference`".into(),
        Datatype::Enumeration { .. } => "`enumeration`".into(),
        Datatype::VariableLength { .. } => "`variable length`".into(),
        Datatype::Array { .. } => "`array`".into(),
        _ => "of an unknown class".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_round_trips() {
        for &dtype in DType::ALL {
            let marked = dtype == DType::BF16;
            assert_eq!(from_hdf5(&to_hdf5(dtype), marked).unwrap(), (dtype, ByteOrder::Little));
        }
        assert!(from_hdf5(&to_hdf5(DType::BF16), false).is_err());
    }
}
