//! Dense row-major tensors that own their values.

use half::{bf16, f16};

/// What can be wrong with a tensor's parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The shape asks for another number of values than there are.
    #[error("a tensor of shape {shape:?} holds {expected} values, found {found}")]
    WrongLength {
        /// The shape asked for.
        shape: Vec<usize>,
        /// Product of the shape.
        expected: usize,
        /// Number of values given.
        found: usize,
    },
    /// The product of the shape does not fit in memory's address range.
    #[error("a tensor of shape {shape:?} is too large to address")]
    TooLarge {
        /// The shape asked for.
        shape: Vec<usize>,
    },
}

macro_rules! dtypes {
    ($($variant:ident $rust:ty, $name:literal, $bytes:literal;)*) => {
        /// The type of a tensor's values.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DType { $(#[doc = concat!("`", $name, "`")] $variant),* }

        /// A tensor's values, row-major (the last axis is contiguous).
        #[derive(Debug, Clone, PartialEq)]
        pub enum Values { $(#[doc = concat!("Values of type `", $name, "`")] $variant(Vec<$rust>)),* }

        impl DType {
            /// Every type, in the order of declaration.
            pub const ALL: &[DType] = &[$(DType::$variant),*];

            /// numpy's name of the type (`bfloat16` for the one numpy lacks).
            pub const fn name(self) -> &'static str {
                match self { $(DType::$variant => $name),* }
            }

            /// Size of one value in bytes.
            pub const fn size_bytes(self) -> usize {
                match self { $(DType::$variant => $bytes),* }
            }

            /// The type with this numpy name.
            pub fn from_name(name: &str) -> Option<DType> {
                match name { $($name => Some(DType::$variant),)* _ => None }
            }
        }

        impl Values {
            /// The type of the values.
            pub fn dtype(&self) -> DType {
                match self { $(Values::$variant(_) => DType::$variant),* }
            }

            /// The number of values.
            pub fn len(&self) -> usize {
                match self { $(Values::$variant(v) => v.len()),* }
            }

            /// Whether there are no values.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        $(impl From<Vec<$rust>> for Values {
            fn from(values: Vec<$rust>) -> Values { Values::$variant(values) }
        })*
    };
}

dtypes! {
    F32 f32, "float32", 4;
    F64 f64, "float64", 8;
    F16 f16, "float16", 2;
    BF16 bf16, "bfloat16", 2;
    I8 i8, "int8", 1;
    I16 i16, "int16", 2;
    I32 i32, "int32", 4;
    I64 i64, "int64", 8;
    U8 u8, "uint8", 1;
    U16 u16, "uint16", 2;
    U32 u32, "uint32", 4;
    U64 u64, "uint64", 8;
    Bool bool, "bool", 1;
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A dense tensor: a shape and row-major values. A scalar has shape `[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

/// The number of values of a shape, or an error where it overflows.
pub fn element_count(shape: &[usize]) -> Result<usize, TensorError> {
    shape
        .iter()
        .try_fold(1usize, |product, &dim| product.checked_mul(dim))
        .ok_or_else(|| TensorError::TooLarge { shape: shape.to_vec() })
}

impl Tensor {
    /// A tensor of `shape` over `values` (a `Vec` of any supported type).
    pub fn new(shape: impl Into<Vec<usize>>, values: impl Into<Values>) -> Result<Tensor, TensorError> {
        let (shape, values) = (shape.into(), values.into());
        let expected = element_count(&shape)?;
        if expected != values.len() {
            return Err(TensorError::WrongLength { shape, expected, found: values.len() });
        }
        Ok(Tensor { shape, values })
    }

    /// `f32` zeros.
    ///
    /// # Panics
    /// If the product of the shape overflows; take shapes of untrusted files through [`Tensor::new`].
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Tensor {
        Tensor::full(shape, 0.0)
    }

    /// `f32` values all equal to `value`; panics as [`Tensor::zeros`] does.
    pub fn full(shape: impl Into<Vec<usize>>, value: f32) -> Tensor {
        let shape = shape.into();
        let count = element_count(&shape).expect("the shape's product fits in usize");
        Tensor { shape, values: Values::F32(vec![value; count]) }
    }

    /// Sizes of the axes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of the values.
    pub fn dtype(&self) -> DType {
        self.values.dtype()
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Size of the values in bytes.
    pub fn size_bytes(&self) -> usize {
        self.len() * self.dtype().size_bytes()
    }

    /// The values, whatever their type.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The values, given up.
    pub fn into_values(self) -> Values {
        self.values
    }

    /// The values if they are `f32`.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(values) => Some(values),
            _ => None,
        }
    }

    /// The values for change in place if they are `f32`.
    pub fn as_f32_mut(&mut self) -> Option<&mut [f32]> {
        match &mut self.values {
            Values::F32(values) => Some(values),
            _ => None,
        }
    }

    /// The values if they are `i32`.
    pub fn as_i32(&self) -> Option<&[i32]> {
        match &self.values {
            Values::I32(values) => Some(values),
            _ => None,
        }
    }

    /// Every value as `f32`, rounded to nearest where `f32` cannot hold it; `bool` gives 0 or 1.
    pub fn to_f32_vec(&self) -> Vec<f32> {
        match &self.values {
            Values::F32(v) => v.clone(),
            Values::F64(v) => v.iter().map(|&x| x as f32).collect(),
            Values::F16(v) => v.iter().map(|x| x.to_f32()).collect(),
            Values::BF16(v) => v.iter().map(|x| x.to_f32()).collect(),
            Values::I8(v) => v.iter().map(|&x| f32::from(x)).collect(),
            Values::I16(v) => v.iter().map(|&x| f32::from(x)).collect(),
            Values::I32(v) => v.iter().map(|&x| x as f32).collect(),
            Values::I64(v) => v.iter().map(|&x| x as f32).collect(),
            Values::U8(v) => v.iter().map(|&x| f32::from(x)).collect(),
            Values::U16(v) => v.iter().map(|&x| f32::from(x)).collect(),
            Values::U32(v) => v.iter().map(|&x| x as f32).collect(),
            Values::U64(v) => v.iter().map(|&x| x as f32).collect(),
            Values::Bool(v) => v.iter().map(|&x| f32::from(u8::from(x))).collect(),
        }
    }

    /// The same tensor with `f32` values (without a copy where they already are).
    pub fn into_f32(self) -> Tensor {
        match self.values {
            Values::F32(_) => self,
            _ => Tensor { values: Values::F32(self.to_f32_vec()), shape: self.shape },
        }
    }

    /// The same values under another shape of equal size.
    pub fn reshaped(self, shape: impl Into<Vec<usize>>) -> Result<Tensor, TensorError> {
        Tensor::new(shape, self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_values_must_agree() {
        assert!(Tensor::new([2, 3], vec![0f32; 6]).is_ok());
        assert_eq!(
            Tensor::new([2, 3], vec![0f32; 5]),
            Err(TensorError::WrongLength { shape: vec![2, 3], expected: 6, found: 5 })
        );
        assert!(matches!(Tensor::new([usize::MAX, 2], vec![0u8; 1]), Err(TensorError::TooLarge { .. })));
    }

    #[test]
    fn every_dtype_has_a_distinct_name() {
        for &dtype in DType::ALL {
            assert_eq!(DType::from_name(dtype.name()), Some(dtype));
        }
    }

    #[test]
    fn conversion_to_f32() {
        let t = Tensor::new([2], vec![f16::from_f32(1.5), f16::from_f32(-2.0)]).unwrap();
        assert_eq!(t.into_f32().as_f32(), Some(&[1.5, -2.0][..]));
    }
}
