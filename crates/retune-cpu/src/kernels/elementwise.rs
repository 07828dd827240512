//! Functions of single values: fill, affine, unary functions, conversion.

use retune_graph::ops::{Affine, Unary};

use crate::kernels::stream::{Map, map_call};
use crate::kernels::{CHUNK, Call};
use crate::math;
use crate::multiversion;

pub(crate) fn fill(value: f32, mut call: Call<'_>) {
    call.cpu.for_chunks(call.output(), CHUNK, |_, y| y.fill(value));
}

/// The same values, for reshapes that cannot share their input's buffer.
pub(crate) fn copy(mut call: Call<'_>) {
    let x = call.input(0);
    call.cpu.for_chunks(call.output(), CHUNK, |index, y| y.copy_from_slice(&x[index * CHUNK..][..y.len()]));
}

impl Map for Affine {
    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        self.scale * x + self.offset
    }
}

pub(crate) fn affine(op: &Affine, mut call: Call<'_>) {
    map_call(&mut call, *op);
}

multiversion! {
    fn to_float(x: &[i32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = *x as f32;
        }
    }
}

pub(crate) fn cast(mut call: Call<'_>) {
    let (x, level) = (call.ids(0), call.cpu.level());
    call.cpu.for_chunks(call.output(), CHUNK, |index, y| to_float(level, &x[index * CHUNK..][..y.len()], y));
}

macro_rules! unary {
    ($($name:ident: |$x:ident| $value:expr;)*) => {
        $(
            #[derive(Clone, Copy)]
            struct $name;

            impl Map for $name {
                #[inline(always)]
                fn at(self, $x: f32) -> f32 {
                    $value
                }
            }
        )*

        pub(crate) fn unary(op: &Unary, mut call: Call<'_>) {
            match op {
                $(Unary::$name => map_call(&mut call, $name),)*
            }
        }
    };
}

unary! {
    Exp: |x| math::exp(x);
    Log: |x| math::log(x);
    Sqrt: |x| x.sqrt();
    Rsqrt: |x| 1.0 / x.sqrt();
    Reciprocal: |x| 1.0 / x;
    Square: |x| x * x;
    Abs: |x| x.abs();
    Sign: |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { 0.0 * x };
}
