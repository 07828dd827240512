//! Strided tensors over the bytes of a storage.

use retune_tensor::{Tensor, tensor};

use crate::bytes::ByteOrder;
use crate::error::Problem;
use crate::stored::TensorInfo;

/// PyTorch's own bound on the number of axes.
const MAX_AXES: usize = 64;

/// A tensor over a storage: element `i` of shape `shape` stands at `start + Σ i_k · strides_k`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct View {
    /// The storage's number.
    pub(super) storage: usize,
    pub(super) info: TensorInfo,
    /// First element, counted from the start of the storage.
    pub(super) start: usize,
    /// Distance of neighbours along each axis, in elements.
    pub(super) strides: Vec<usize>,
}

impl View {
    /// The view, if all of it lies within the storage's `storage_len` elements.
    pub(super) fn new(
        storage: usize,
        info: TensorInfo,
        start: usize,
        strides: Vec<usize>,
        storage_len: usize,
    ) -> Result<View, Problem> {
        let shape = &info.shape;
        if shape.len() != strides.len() || shape.len() > MAX_AXES {
            let found = format!("{} sizes and {} strides", shape.len(), strides.len());
            return Err(Problem::mismatch("as many sizes as strides, at most 64", found));
        }
        let count = tensor::element_count(shape)?;
        if count > 0 {
            let mut axes = shape.iter().zip(&strides);
            let last = axes.try_fold(start, |last, (size, stride)| last.checked_add((size - 1).checked_mul(*stride)?));
            if last.is_none_or(|last| last >= storage_len) {
                let found = format!("a tensor of shape {shape:?}, strides {strides:?} from element {start}");
                return Err(Problem::mismatch(format_args!("a tensor within {storage_len} stored elements"), found));
            }
        }
        Ok(View { storage, info, start, strides })
    }

    /// Size of the values in bytes; `None` if it cannot be addressed.
    pub(super) fn size_bytes(&self) -> Option<usize> {
        tensor::element_count(&self.info.shape).ok()?.checked_mul(self.info.stored.size_bytes())
    }

    /// The part of the storage's bytes from the tensor's first element to its last.
    pub(super) fn extent<'s>(&self, storage: &'s [u8]) -> Option<&'s [u8]> {
        let size = self.info.stored.size_bytes();
        if self.info.shape.contains(&0) {
            return Some(&[]);
        }
        let last = self.info.shape.iter().zip(&self.strides).map(|(size, stride)| (size - 1) * stride).sum::<usize>();
        storage.get(self.start * size..(self.start + last + 1) * size)
    }

    /// The tensor, row-major whatever its strides.
    pub(super) fn read(&self, storage: &[u8], order: ByteOrder) -> Result<Tensor, Problem> {
        let available = storage.len() as u64;
        let extent = self.extent(storage).ok_or(Problem::Truncated { needed: available + 1, available })?;
        let TensorInfo { stored, shape } = &self.info;
        if self.is_row_major() {
            return stored.decode(order, shape.clone(), extent);
        }
        let size = stored.size_bytes();
        let count = tensor::element_count(shape)?;
        let mut bytes = Vec::with_capacity(count * size);
        let mut index = vec![0; shape.len()];
        let mut at = 0;
        for _ in 0..count {
            bytes.extend_from_slice(&extent[at * size..(at + 1) * size]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < shape[axis] {
                    break;
                }
                at -= self.strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }
        stored.decode(order, shape.clone(), &bytes)
    }

    /// Whether the elements stand one after the other in row-major order; the stride of an axis of size 1 says nothing.
    fn is_row_major(&self) -> bool {
        let mut expected = 1;
        self.info.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        }) || self.info.shape.contains(&0)
    }
}

#[cfg(test)]
mod tests {
    use retune_tensor::DType;

    use super::*;

    fn view(shape: &[usize], strides: &[usize], start: usize, len: usize) -> Result<View, Problem> {
        let info = TensorInfo { stored: DType::U8.into(), shape: shape.to_vec() };
        View::new(0, info, start, strides.to_vec(), len)
    }

    #[test]
    fn every_order_of_strides() {
        let storage: Vec<u8> = (0..12).collect();
        type Case<'c> = (&'c [usize], &'c [usize], usize, &'c [u8]);
        let cases: [Case; 7] = [
            (&[2, 3], &[3, 1], 0, &[0, 1, 2, 3, 4, 5]),
            (&[3, 2], &[1, 3], 0, &[0, 3, 1, 4, 2, 5]),
            (&[2, 2], &[6, 2], 1, &[1, 3, 7, 9]),
            (&[2, 2, 2], &[0, 1, 4], 2, &[2, 6, 3, 7, 2, 6, 3, 7]),
            (&[1, 2], &[999, 1], 10, &[10, 11]),
            (&[], &[], 11, &[11]),
            (&[0, 5], &[5, 1], 12, &[]),
        ];
        for (shape, strides, start, expected) in cases {
            let tensor = view(shape, strides, start, 12).unwrap().read(&storage, ByteOrder::Little).unwrap();
            assert_eq!(tensor, Tensor::new(shape, expected.to_vec()).unwrap(), "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn views_beyond_the_storage_are_refused() {
        assert!(view(&[2, 3], &[3, 1], 7, 12).is_err());
        assert!(view(&[2], &[12], 0, 12).is_err());
        assert!(view(&[], &[], 12, 12).is_err());
        assert!(view(&[2, 2], &[usize::MAX, 1], 0, 12).is_err());
        assert!(view(&[2, 2], &[1], 0, 12).is_err());
        assert!(view(&[usize::MAX, 2], &[0, 0], 0, 12).is_err());
        assert!(view(&[1; 65], &[1; 65], 0, 12).is_err());
    }
}
