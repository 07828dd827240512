//! Rotary position embedding.

use retune_graph::ops::Rotary;

use crate::array::Array;

pub(super) fn rotary(op: &Rotary, x: &Array, positions: &Array) -> Array {
    let half = op.head_size / 2;
    Array::from_fn(&x.shape, |at| {
        let (row, place) = (at[0], at[1] % op.head_size);
        let angle = positions.at(&[row]) * f64::from(op.frequency(place % half));
        let sine = if op.inverse { -angle.sin() } else { angle.sin() };
        let (sign, other) = if place < half { (-1.0, at[1] + half) } else { (1.0, at[1] - half) };
        x.at(at) * angle.cos() + sign * sine * x.at(&[row, other])
    })
}
