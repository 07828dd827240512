//! How PyTorch arranges the axes of a weight, and how retune does.

use retune_tensor::{Tensor, Values};

/// How files of PyTorch hold a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TorchLayout {
    /// As retune does.
    #[default]
    Same,
    /// A matrix `[out, in]`, where retune has `[in, out]`.
    Linear,
    /// A convolution's kernel `[out, in / groups, height, width]`, where retune has `[height, width, in / groups, out]`.
    Convolution,
    /// A depthwise convolution's kernel `[channels, 1, height, width]`, where retune has `[height, width, channels, 1]`.
    Depthwise,
}

impl TorchLayout {
    /// The order in which a file's axes stand here.
    fn axes(self) -> Option<&'static [usize]> {
        match self {
            TorchLayout::Same => None,
            TorchLayout::Linear => Some(&[1, 0]),
            TorchLayout::Convolution => Some(&[2, 3, 1, 0]),
            TorchLayout::Depthwise => Some(&[2, 3, 0, 1]),
        }
    }

    /// The shape in a file of a weight that has `shape` here.
    pub fn shape_in_file(self, shape: &[usize]) -> Vec<usize> {
        let Some(axes) = self.axes() else { return shape.to_vec() };
        let mut stored = vec![0; shape.len()];
        axes.iter().zip(shape).for_each(|(&axis, &size)| stored[axis] = size);
        stored
    }

    /// A tensor of a file as retune has it; its shape is [`TorchLayout::shape_in_file`]'s.
    pub fn from_file(self, tensor: Tensor) -> Tensor {
        match self.axes() {
            None => tensor,
            Some(axes) => permuted(&tensor, axes),
        }
    }

    /// A weight as files have it.
    pub fn to_file(self, tensor: &Tensor) -> Tensor {
        let Some(axes) = self.axes() else { return tensor.clone() };
        let mut back = vec![0; axes.len()];
        axes.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
        permuted(tensor, &back)
    }
}

/// The tensor with axis `axes[i]` as its axis `i`.
fn permuted(tensor: &Tensor, axes: &[usize]) -> Tensor {
    let (shape, values) = (tensor.shape(), tensor.as_f32().expect("weights are f32"));
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let new_shape: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
    let strides: Vec<usize> = axes.iter().map(|&axis| stride(axis)).collect();
    let mut permuted = Vec::with_capacity(values.len());
    let mut place = vec![0; axes.len()];
    let mut from = 0;
    for _ in 0..values.len() {
        permuted.push(values[from]);
        for axis in (0..axes.len()).rev() {
            place[axis] += 1;
            from += strides[axis];
            if place[axis] < new_shape[axis] {
                break;
            }
            from -= strides[axis] * new_shape[axis];
            place[axis] = 0;
        }
    }
    Tensor::new(new_shape, Values::F32(permuted)).expect("a permutation keeps the number of values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_go_and_come_back() {
        let stored = Tensor::new([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let weight = TorchLayout::Linear.from_file(stored.clone());
        assert_eq!(weight, Tensor::new([3, 2], vec![1.0f32, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap());
        assert_eq!(TorchLayout::Linear.shape_in_file(weight.shape()), [2, 3]);
        assert_eq!(TorchLayout::Linear.to_file(&weight), stored);
        let stored = Tensor::new([5, 2, 3, 4], (0..120).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
        for (layout, shape) in [(TorchLayout::Convolution, [3, 4, 2, 5]), (TorchLayout::Depthwise, [3, 4, 5, 2])] {
            let weight = layout.from_file(stored.clone());
            assert_eq!((weight.shape(), layout.shape_in_file(&shape).as_slice()), (&shape[..], stored.shape()));
            assert_eq!(layout.to_file(&weight), stored);
        }
    }

    #[test]
    fn permutations_of_many_axes() {
        let tensor = Tensor::new([2, 3, 4], (0..24).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
        let turned = permuted(&tensor, &[2, 0, 1]);
        assert_eq!(turned.shape(), [4, 2, 3]);
        assert_eq!(turned.as_f32().unwrap()[..6], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]);
    }
}
