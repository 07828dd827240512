//! Rotary position embedding.

use retune_graph::ops::Rotary;

use crate::cpu::{Cpu, Parts};
use crate::kernels::{CHUNK, Call};
use crate::multiversion;

multiversion! {
    /// Turns the pairs of a head: value c of each half, by the angle number c.
    fn turn(cos: &[f32], sin: &[f32], x: &[f32], y: &mut [f32]) {
        let half = cos.len();
        let (x1, x2) = x.split_at(half);
        let (y1, y2) = y.split_at_mut(half);
        let (x2, y2, sin) = (&x2[..half], &mut y2[..half], &sin[..half]);
        for c in 0..half {
            y1[c] = x1[c] * cos[c] - x2[c] * sin[c];
            y2[c] = x2[c] * cos[c] + x1[c] * sin[c];
        }
    }
}

/// Values of scratch: the angles of one step, and cosines and sines of a row for each thread.
pub(crate) fn scratch_len(op: &Rotary, cpu: &Cpu) -> usize {
    op.head_size / 2 + cpu.threads() * op.head_size
}

/// A task is some rows. Angles are made once for each row, for all of its heads.
pub(crate) fn rotary(op: &Rotary, mut call: Call<'_>) {
    let (x, positions, width, level) = (call.input(0), call.ids(1), call.shape[1], call.cpu.level());
    if width == 0 {
        return;
    }
    let half = op.head_size / 2;
    let (frequencies, of_threads) = call.scratch().split_at_mut(half);
    for (c, frequency) in frequencies.iter_mut().enumerate() {
        *frequency = op.frequency(c);
    }
    let (frequencies, of_threads) = (&*frequencies, Parts::new(of_threads));
    let y = Parts::new(call.output());
    let rows = CHUNK.div_ceil(width);
    call.cpu.run_on_threads(positions.len().div_ceil(rows), |thread, task| {
        // SAFETY: each thread has its own part.
        let (cos, sin) = unsafe { of_threads.slice(thread * op.head_size, op.head_size) }.split_at_mut(half);
        for row in task * rows..positions.len().min((task + 1) * rows) {
            for (c, frequency) in frequencies.iter().enumerate() {
                (sin[c], cos[c]) = (positions[row] as f32 * frequency).sin_cos();
                if op.inverse {
                    sin[c] = -sin[c];
                }
            }
            let x = &x[row * width..][..width];
            // SAFETY: each row belongs to one task.
            let y = unsafe { y.slice(row * width, width) };
            for (x, y) in x.chunks_exact(op.head_size).zip(y.chunks_exact_mut(op.head_size)) {
                turn(level, cos, sin, x, y);
            }
        }
    });
}
