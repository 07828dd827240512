//! Walks over operands that lie in another order than the output, or repeat: broadcasting, transposing, cutting.

/// Most axes of a tensor that is walked over.
pub(crate) const MAX_AXES: usize = 16;

/// For each place of a row-major output, where `N` operands are read. The innermost axis is called a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided<const N: usize> {
    rank: usize,
    sizes: [usize; MAX_AXES],
    strides: [[isize; N]; MAX_AXES],
    start: [isize; N],
}

impl<const N: usize> Strided<N> {
    /// A walk over `shape`; `strides(axis)` says by how many values each operand moves along an axis, `start` where each
    /// begins.
    ///
    /// # Panics
    /// If more than [`MAX_AXES`] axes are left after merging.
    pub fn new(shape: &[usize], start: [isize; N], strides: impl Fn(usize) -> [isize; N]) -> Strided<N> {
        let mut walk = Strided { rank: 0, sizes: [1; MAX_AXES], strides: [[0; N]; MAX_AXES], start };
        for (axis, &size) in shape.iter().enumerate().filter(|(_, size)| **size != 1) {
            let strides = strides(axis);
            let merges = walk.rank > 0
                && (0..N).all(|n| walk.strides[walk.rank - 1][n] == strides[n].wrapping_mul(size as isize));
            if !merges {
                assert!(walk.rank < MAX_AXES, "a tensor has at most {MAX_AXES} axes that do not merge");
                walk.rank += 1;
            }
            walk.sizes[walk.rank - 1] = if merges { walk.sizes[walk.rank - 1] * size } else { size };
            walk.strides[walk.rank - 1] = strides;
        }
        walk.rank = walk.rank.max(1);
        walk
    }

    /// Number of axes left, at least one.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Size of axis `axis`.
    pub fn size(&self, axis: usize) -> usize {
        self.sizes[axis]
    }

    /// Strides of the operands along an axis.
    pub fn stride(&self, axis: usize) -> [isize; N] {
        self.strides[axis]
    }

    /// Values of a run.
    pub fn run_len(&self) -> usize {
        self.sizes[self.rank - 1]
    }

    /// Strides of the operands inside of a run.
    pub fn run_stride(&self) -> [isize; N] {
        self.strides[self.rank - 1]
    }

    /// Where each operand begins in run `run`, the runs counted in the output's order.
    pub fn run_start(&self, mut run: usize) -> [isize; N] {
        let mut offsets = self.start;
        for axis in (0..self.rank - 1).rev() {
            let index = (run % self.sizes[axis]) as isize;
            run /= self.sizes[axis];
            for n in 0..N {
                offsets[n] += index * self.strides[axis][n];
            }
        }
        offsets
    }

    /// Calls `f(first value, number of values, offsets of the operands)` for parts of runs that together cover the
    /// output's values `start..end`.
    pub fn for_each_part(&self, start: usize, end: usize, mut f: impl FnMut(usize, usize, [isize; N])) {
        let (run_len, strides) = (self.run_len(), self.run_stride());
        let mut at = start;
        while at < end {
            let (run, skipped) = (at / run_len, at % run_len);
            let len = (run_len - skipped).min(end - at);
            let mut offsets = self.run_start(run);
            for n in 0..N {
                offsets[n] += skipped as isize * strides[n];
            }
            f(at, len, offsets);
            at += len;
        }
    }
}

/// How far apart neighbours along `axis` of a row-major `shape` are.
pub(crate) fn row_major_stride(shape: &[usize], axis: usize) -> isize {
    shape[axis + 1..].iter().product::<usize>() as isize
}

/// The stride of an operand of `shape` along `axis` of an output of `rank` axes, by numpy's broadcasting: axes are aligned
/// at the end, axes of size 1 and missing ones repeat.
pub(crate) fn broadcast_stride(shape: &[usize], axis: usize, rank: usize) -> isize {
    match (axis + shape.len()).checked_sub(rank) {
        Some(own) if shape[own] != 1 => row_major_stride(shape, own),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_merge_where_all_operands_allow() {
        // A channel vector against images: the three outer axes are one.
        let (shape, vector) = ([2, 3, 4, 5], [5]);
        let walk =
            Strided::new(&shape, [0, 0], |axis| [row_major_stride(&shape, axis), broadcast_stride(&vector, axis, 4)]);
        assert_eq!((walk.rank(), walk.size(0), walk.size(1)), (2, 24, 5));
        assert_eq!((walk.stride(0), walk.run_stride()), ([5, 0], [1, 1]));
        let mut parts = Vec::new();
        walk.for_each_part(3, 11, |at, len, offsets| parts.push((at, len, offsets)));
        assert_eq!(parts, [(3, 2, [3, 3]), (5, 5, [5, 0]), (10, 1, [10, 0])]);
    }

    #[test]
    fn a_scalar_is_one_run() {
        let walk = Strided::<1>::new(&[1, 1], [7], |_| [0]);
        assert_eq!((walk.rank(), walk.run_len(), walk.run_start(0)), (1, 1, [7]));
    }
}
