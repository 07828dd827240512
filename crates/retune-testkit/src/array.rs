//! Dense row-major arrays of `f64`, for loops over indices.

use retune_tensor::{Tensor, Values};

/// A dense row-major array. Integers are kept exactly: every `i32` is an `f64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Sizes of the axes, outermost first; a scalar has none.
    pub shape: Vec<usize>,
    /// The values, the last axis contiguous.
    pub values: Vec<f64>,
}

impl Array {
    /// An array of `shape` over `values`.
    ///
    /// # Panics
    /// If the shape asks for another number of values.
    pub fn new(shape: &[usize], values: Vec<f64>) -> Array {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "an array of shape {shape:?} needs as many values");
        Array { shape: shape.to_vec(), values }
    }

    /// Every value equal to `value`.
    pub fn full(shape: &[usize], value: f64) -> Array {
        Array::new(shape, vec![value; shape.iter().product()])
    }

    /// Zeros.
    pub fn zeros(shape: &[usize]) -> Array {
        Array::full(shape, 0.0)
    }

    /// The value at each index is `f(index)`; indices are visited in row-major order.
    pub fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Array {
        let mut values = Vec::with_capacity(shape.iter().product());
        for_each_index(shape, |index| values.push(f(index)));
        Array::new(shape, values)
    }

    /// Where the value at `index` stands in [`Array::values`].
    ///
    /// # Panics
    /// If the index is outside the array.
    pub fn position(&self, index: &[usize]) -> usize {
        assert_eq!(index.len(), self.shape.len(), "index {index:?} into shape {:?}", self.shape);
        index.iter().zip(&self.shape).fold(0, |position, (&i, &size)| {
            assert!(i < size, "index {index:?} is outside shape {:?}", self.shape);
            position * size + i
        })
    }

    /// The value at `index`.
    pub fn at(&self, index: &[usize]) -> f64 {
        self.values[self.position(index)]
    }

    /// The value at `index`, for change.
    pub fn at_mut(&mut self, index: &[usize]) -> &mut f64 {
        let position = self.position(index);
        &mut self.values[position]
    }

    /// The value that numpy's broadcasting puts at `index` of a larger shape: axes are aligned at the end, sizes of 1
    /// stretch.
    pub fn at_broadcast(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.shape.len()..];
        let own: Vec<usize> = own.iter().zip(&self.shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect();
        self.at(&own)
    }

    /// `f` of each value.
    pub fn map(&self, f: impl FnMut(f64) -> f64) -> Array {
        Array::new(&self.shape, self.values.iter().copied().map(f).collect())
    }

    /// `f` of each pair of values of two arrays of one shape.
    pub fn zip(&self, other: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
        assert_eq!(self.shape, other.shape, "both arrays must have one shape");
        Array::new(&self.shape, self.values.iter().zip(&other.values).map(|(&a, &b)| f(a, b)).collect())
    }

    /// The same values under another shape.
    pub fn reshaped(&self, shape: &[usize]) -> Array {
        Array::new(shape, self.values.clone())
    }

    /// The values as a matrix whose rows are the last axis: `(rows, columns)`.
    pub fn rows(&self) -> (usize, usize) {
        let columns = self.shape.last().copied().unwrap_or(1);
        (self.values.len().checked_div(columns).unwrap_or(0), columns)
    }

    /// The sum of all products of values at equal places.
    pub fn dot(&self, other: &Array) -> f64 {
        assert_eq!(self.shape, other.shape, "both arrays must have one shape");
        self.values.iter().zip(&other.values).map(|(a, b)| a * b).sum()
    }

    /// The values rounded to `f32`.
    pub fn to_f32(&self) -> Tensor {
        let values: Vec<f32> = self.values.iter().map(|&x| x as f32).collect();
        Tensor::new(self.shape.clone(), values).expect("an array holds as many values as its shape asks for")
    }

    /// The values as `i32`.
    ///
    /// # Panics
    /// If a value is no `i32`.
    pub fn to_i32(&self) -> Tensor {
        let exact = |&x: &f64| {
            assert_eq!(f64::from(x as i32), x, "{x} is no i32");
            x as i32
        };
        let values: Vec<i32> = self.values.iter().map(exact).collect();
        Tensor::new(self.shape.clone(), values).expect("an array holds as many values as its shape asks for")
    }
}

impl From<&Tensor> for Array {
    /// Exact for every type up to 32 bits and for `f64`; 64-bit integers go through `f32`.
    fn from(tensor: &Tensor) -> Array {
        let values = match tensor.values() {
            Values::F64(values) => values.clone(),
            Values::I32(values) => values.iter().map(|&x| f64::from(x)).collect(),
            Values::U32(values) => values.iter().map(|&x| f64::from(x)).collect(),
            _ => tensor.to_f32_vec().into_iter().map(f64::from).collect(),
        };
        Array::new(tensor.shape(), values)
    }
}

/// Calls `f` with every index of `shape` in row-major order.
pub fn for_each_index(shape: &[usize], mut f: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        f(&index);
        let Some(axis) = (0..shape.len()).rev().find(|&axis| index[axis] + 1 < shape[axis]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_run_row_major() {
        let array = Array::from_fn(&[2, 3], |i| (10 * i[0] + i[1]) as f64);
        assert_eq!(array.values, [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        assert_eq!(array.at(&[1, 2]), 12.0);
        assert_eq!(array.at_broadcast(&[7, 1, 0]), 10.0);
        assert_eq!(Array::from_fn(&[], |_| 5.0).values, [5.0]);
        assert!(Array::from_fn(&[3, 0], |_| 5.0).values.is_empty());
    }

    #[test]
    fn tensors_keep_their_integers() {
        let tensor = Tensor::new([2], vec![i32::MAX, -16_777_217]).unwrap();
        assert_eq!(Array::from(&tensor).to_i32(), tensor);
    }
}
