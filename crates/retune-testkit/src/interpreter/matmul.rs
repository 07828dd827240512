//! Batched matrix products.

use retune_graph::ops::MatMul;

use crate::array::Array;

pub(super) fn matmul(op: &MatMul, a: &Array, b: &Array) -> Array {
    let rank = a.shape.len();
    let leading = &a.shape[..rank - 2];
    let stored = |shape: &[usize], transposed: bool| {
        let (rows, columns) = (shape[rank - 2], shape[rank - 1]);
        if transposed { (columns, rows) } else { (rows, columns) }
    };
    let ((rows, inner), (_, columns)) = (stored(&a.shape, op.transpose_a), stored(&b.shape, op.transpose_b));
    let element = |matrix: &Array, leading: &[usize], row: usize, column: usize, transposed: bool| {
        let (row, column) = if transposed { (column, row) } else { (row, column) };
        matrix.at(&[leading, &[row, column]].concat())
    };
    Array::from_fn(&[leading, &[rows, columns]].concat(), |index| {
        let (leading, i, j) = (&index[..rank - 2], index[rank - 2], index[rank - 1]);
        (0..inner).map(|k| element(a, leading, i, k, op.transpose_a) * element(b, leading, k, j, op.transpose_b)).sum()
    })
}
