//! Rows of a table by index, and the sum of their gradients.

use retune_graph::ops::ScatterAdd;

use crate::array::Array;

fn row_of(id: f64, rows: usize) -> usize {
    assert!(id >= 0.0 && id < rows as f64, "index {id} is outside a table of {rows} rows");
    id as usize
}

pub(super) fn gather(table: &Array, ids: &Array) -> Array {
    let [rows, width] = [table.shape[0], table.shape[1]];
    let values = ids.values.iter().flat_map(|&id| table.values[row_of(id, rows) * width..][..width].to_vec());
    Array::new(&[&ids.shape[..], &[width]].concat(), values.collect())
}

pub(super) fn scatter_add(op: &ScatterAdd, ids: &Array, dy: &Array) -> Array {
    let width = dy.rows().1;
    let mut table = Array::zeros(&[op.rows, width]);
    for (&id, dy) in ids.values.iter().zip(dy.values.chunks(width.max(1))) {
        for (k, dy) in dy.iter().enumerate() {
            *table.at_mut(&[row_of(id, op.rows), k]) += dy;
        }
    }
    table
}
