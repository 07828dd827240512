//! Functions of pairs of values with numpy's broadcasting, and broadcasting alone.

use retune_graph::ops::Binary;

use crate::kernels::stream::{Map2, PIECE, map2, map2_call, stream};
use crate::kernels::strided::{Strided, broadcast_stride};
use crate::kernels::{CHUNK, Call};
use crate::multiversion;

multiversion! {
    /// `y = f(a, b)` for one `a`.
    fn map_left_scalar[F: Map2](f: F, a: f32, b: &[f32], y: &mut [f32]) {
        for (y, b) in y.iter_mut().zip(b) {
            *y = f.at(a, *b);
        }
    }

    /// `y = f(a, b)` for one `b`.
    fn map_right_scalar[F: Map2](f: F, a: &[f32], b: f32, y: &mut [f32]) {
        for (y, a) in y.iter_mut().zip(a) {
            *y = f.at(*a, b);
        }
    }
}

macro_rules! binary {
    ($($name:ident: |$a:ident, $b:ident| $value:expr;)*) => {
        $(
            #[derive(Clone, Copy)]
            struct $name;

            impl Map2 for $name {
                #[inline(always)]
                fn at(self, $a: f32, $b: f32) -> f32 {
                    $value
                }
            }
        )*

        pub(crate) fn binary(op: &Binary, call: Call<'_>) {
            match op {
                $(Binary::$name => broadcast_map($name, call),)*
            }
        }
    };
}

binary! {
    Add: |a, b| a + b;
    Sub: |a, b| a - b;
    Mul: |a, b| a * b;
    Div: |a, b| a / b;
    Maximum: |a, b| if b > a { b } else { a };
    Minimum: |a, b| if b < a { b } else { a };
    GreaterEqual: |a, b| if a >= b { 1.0 } else { 0.0 };
    Equal: |a, b| if a == b { 1.0 } else { 0.0 };
}

fn broadcast_map(f: impl Map2, mut call: Call<'_>) {
    let (a_shape, b_shape, shape) = (call.input_shape(0), call.input_shape(1), call.shape);
    let rank = shape.len();
    let walk = Strided::new(shape, [0, 0], |axis| {
        [broadcast_stride(a_shape, axis, rank), broadcast_stride(b_shape, axis, rank)]
    });
    let (level, period) = (call.cpu.level(), walk.run_len());
    let tiles = walk.rank() == 2 && period <= PIECE / 2;
    match (walk.rank(), walk.run_stride()) {
        (1, [1, 1]) => map2_call(&mut call, f),
        // A short vector against every row, such as a bias: repeated, it works on long pieces.
        (2, [1, 1]) if tiles && walk.stride(0) == [period as isize, 0] => {
            let (tile, width) = repeated(call.input(1));
            stream(&mut call, [0], width, |column, [a], y| map2(level, f, a, &tile[column..][..y.len()], y));
        }
        (2, [1, 1]) if tiles && walk.stride(0) == [0, period as isize] => {
            let (tile, width) = repeated(call.input(0));
            stream(&mut call, [1], width, |column, [b], y| map2(level, f, &tile[column..][..y.len()], b, y));
        }
        _ => strided_map(f, &walk, call),
    }
}

/// A short vector repeated as often as a piece holds it, and the length that it then has.
fn repeated(vector: &[f32]) -> ([f32; PIECE], usize) {
    let width = PIECE / vector.len() * vector.len();
    let mut tile = [0.0; PIECE];
    tile[..width].chunks_exact_mut(vector.len()).for_each(|tile| tile.copy_from_slice(vector));
    (tile, width)
}

/// Any broadcasting. An input that the output overwrites has the output's shape, so its piece is the output's, copied
/// aside.
fn strided_map(f: impl Map2, walk: &Strided<2>, mut call: Call<'_>) {
    let (a, b) = (call.input_unless_in_place(0), call.input_unless_in_place(1));
    let ([a_stride, b_stride], level) = (walk.run_stride(), call.cpu.level());
    call.cpu.for_chunks(call.output(), CHUNK, |index, output| {
        let mut aside = [0.0; PIECE];
        let start = index * CHUNK;
        walk.for_each_part(start, start + output.len(), |at, len, [a_at, b_at]| {
            for done in (0..len).step_by(PIECE) {
                let len = PIECE.min(len - done);
                let y = &mut output[at - start + done..][..len];
                if a.is_none() || b.is_none() {
                    aside[..len].copy_from_slice(y);
                }
                let a = operand(a, a_at, a_stride, done, &aside[..len]);
                let b = operand(b, b_at, b_stride, done, &aside[..len]);
                match (a_stride, b_stride) {
                    (0, _) => map_left_scalar(level, f, a[0], b, y),
                    (_, 0) => map_right_scalar(level, f, a, b[0], y),
                    _ => map2(level, f, a, b, y),
                }
            }
        });
    });
}

/// The values of a part of a run from its value `done` on: one value if it repeats, and those set aside if the output
/// overwrites them.
fn operand<'a>(source: Option<&'a [f32]>, at: isize, stride: isize, done: usize, aside: &'a [f32]) -> &'a [f32] {
    match source {
        None => aside,
        Some(source) if stride == 0 => &source[at as usize..][..1],
        Some(source) => &source[at as usize + done..][..aside.len()],
    }
}

/// Repeats axes of size 1.
pub(crate) fn broadcast_to(mut call: Call<'_>) {
    let (x, x_shape, rank) = (call.input(0), call.input_shape(0), call.shape.len());
    let walk = Strided::new(call.shape, [0], |axis| [broadcast_stride(x_shape, axis, rank)]);
    let [stride] = walk.run_stride();
    call.cpu.for_chunks(call.output(), CHUNK, |index, output| {
        let start = index * CHUNK;
        walk.for_each_part(start, start + output.len(), |at, len, [from]| {
            let y = &mut output[at - start..][..len];
            match stride {
                0 => y.fill(x[from as usize]),
                _ => y.copy_from_slice(&x[from as usize..][..len]),
            }
        });
    });
}
