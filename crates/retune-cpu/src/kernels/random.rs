//! Random tensors and dropout. The numbers of an example are those of its key, counted from the example's first value.

use retune_graph::ops::{Dropout, Random};
use retune_tensor::{Key, Purpose, rng};

use crate::dispatch::Level;
use crate::error::CpuError;
use crate::kernels::sequence::Sequences;
use crate::kernels::stream::{Scale, map_in_place};
use crate::kernels::strided::{MAX_AXES, Strided};
use crate::kernels::{CHUNK, Call};
use crate::multiversion;

/// The keys of a random operation's examples, or of their sequences.
#[derive(Clone, Copy)]
pub(crate) struct ExampleKeys<'a> {
    root: Key,
    epoch: u64,
    ids: &'a [u64],
    /// Sequences of an example.
    parts: usize,
}

impl<'a> ExampleKeys<'a> {
    pub fn new(call: &Call<'a>, stream: u32) -> ExampleKeys<'a> {
        let random = call.random;
        let root = Key::new(random.seed).with(Purpose::Layer(stream));
        ExampleKeys { root, epoch: random.epoch, ids: random.example_ids, parts: 1 }
    }

    /// The keys of these sequences, of which each example has as many as any other.
    pub fn of_sequences(call: &Call<'a>, stream: u32, sequences: Sequences<'_>) -> ExampleKeys<'a> {
        let parts = (sequences.count(call.batch) / call.batch.max(1)).max(1);
        ExampleKeys { parts, ..ExampleKeys::new(call, stream) }
    }

    /// The key of example, or sequence, number `index` of the batch.
    pub fn of(&self, index: usize) -> Key {
        let (example, part) = (self.ids[index / self.parts], (index % self.parts) as u64);
        self.root.at(self.epoch, example.wrapping_mul(self.parts as u64).wrapping_add(part))
    }
}

multiversion! {
    /// `y[i] = low + (high − low) · u`, u being number `4 · first + i` of the key.
    fn fill_uniform(key: Key, first: u64, low: f32, high: f32, y: &mut [f32]) {
        for (index, four) in y.chunks_exact_mut(4).enumerate() {
            let words = key.block(first + index as u64);
            for i in 0..4 {
                four[i] = low + (high - low) * rng::word_to_uniform(words[i]);
            }
        }
    }

    /// `y = m · y`.
    fn multiply(m: &[f32], y: &mut [f32]) {
        for (y, m) in y.iter_mut().zip(m) {
            *y *= m;
        }
    }

    /// `m[i] = scale` where number `4 · first + i` of the key is at least `rate`, else 0.
    fn fill_mask(key: Key, first: u64, rate: f32, scale: f32, m: &mut [f32]) {
        for (index, four) in m.chunks_exact_mut(4).enumerate() {
            let words = key.block(first + index as u64);
            for i in 0..4 {
                four[i] = if rng::word_to_uniform(words[i]) >= rate { scale } else { 0.0 };
            }
        }
    }
}

/// Numbers of a key that are used at a time. Few, as rows of attention are short and the buffer is cleared for each.
const PIECE: usize = 128;

/// Numbers that are made for them: a piece, and what stands before it in its first block of four.
const NUMBERS: usize = PIECE + 4;

/// Calls `fill(first block, numbers)` for the numbers `start..start + len` of a key, in blocks of four, and gives the numbers
/// asked for.
fn numbers(buffer: &mut [f32; NUMBERS], start: usize, len: usize, fill: impl Fn(u64, &mut [f32])) -> &[f32] {
    let skipped = start % 4;
    let made = (skipped + len).next_multiple_of(4);
    fill((start / 4) as u64, &mut buffer[..made]);
    &buffer[skipped..skipped + len]
}

pub(crate) fn random(op: &Random, mut call: Call<'_>) {
    let (Random::Uniform { stream, .. } | Random::Normal { stream, .. }) = *op;
    let (keys, level) = (ExampleKeys::new(&call, stream), call.cpu.level());
    let (row_len, rows) = (call.shape[1..].iter().product(), call.shape[0] / call.batch.max(1));
    let op = *op;
    call.cpu.for_chunks(call.output(), CHUNK, |task, output| {
        for_each_example(task * CHUNK, output, Sequences::Even(rows), row_len, |example, from, y| {
            let key = keys.of(example);
            match op {
                Random::Normal { mean, stddev, .. } => {
                    for (i, y) in y.iter_mut().enumerate() {
                        *y = mean + stddev * key.normal((from + i) as u64);
                    }
                }
                Random::Uniform { low, high, .. } => {
                    let mut buffer = [0.0; NUMBERS];
                    for (index, y) in y.chunks_mut(PIECE).enumerate() {
                        y.copy_from_slice(numbers(&mut buffer, from + index * PIECE, y.len(), |first, numbers| {
                            fill_uniform(level, key, first, low, high, numbers);
                        }));
                    }
                }
            }
        });
    });
}

/// Calls `f(example, first value inside of the example, values)` for the parts of `values`, which begins at value `start` of
/// the whole tensor, whose rows of `row_len` values fall into examples as `sequences` says.
fn for_each_example(
    start: usize,
    values: &mut [f32],
    sequences: Sequences<'_>,
    row_len: usize,
    mut f: impl FnMut(usize, usize, &mut [f32]),
) {
    let mut done = 0;
    while done < values.len() {
        let at = start + done;
        let (example, row) = sequences.find(at / row_len);
        let from = row * row_len + at % row_len;
        let len = (sequences.of(example).1 * row_len - from).min(values.len() - done);
        f(example, from, &mut values[done..done + len]);
        done += len;
    }
}

/// The mask is drawn again wherever it is needed, as it costs less than reading one. Along shared axes it repeats.
pub(crate) fn dropout(op: &Dropout, mut call: Call<'_>) -> Result<(), CpuError> {
    let row_len: usize = call.shape[1..].iter().product();
    let sequences = Sequences::new(&call, 1, call.shape[0])?;
    let (keys, level) = (ExampleKeys::of_sequences(&call, op.stream, sequences), call.cpu.level());
    let (rate, scale) = (op.rate, 1.0 / (1.0 - op.rate));
    // One example: its rows of the first axis (all that there are bound them), then the other axes. The mask is stored
    // row-major without the shared ones.
    let shape = call.shape;
    let mask_size = |axis: usize| if op.shared_axes.contains(&axis) { 1 } else { shape[axis] };
    let mut example_shape = [1; MAX_AXES];
    let example_shape = &mut example_shape[..shape.len()];
    example_shape.copy_from_slice(shape);
    let mask = Strided::new(example_shape, [0], |axis| match op.shared_axes.contains(&axis) {
        true => [0],
        false => [(axis + 1..shape.len()).map(mask_size).product::<usize>() as isize],
    });
    let [mask_stride] = mask.run_stride();
    let source = call.input_unless_in_place(0);
    call.cpu.for_chunks(call.output(), CHUNK, |task, output| {
        if let Some(x) = source {
            output.copy_from_slice(&x[task * CHUNK..][..output.len()]);
        }
        for_each_example(task * CHUNK, output, sequences, row_len, |example, start, y| {
            let key = keys.of(example);
            mask.for_each_part(start, start + y.len(), |at, len, [number]| {
                let y = &mut y[at - start..][..len];
                if mask_stride == 0 {
                    let kept = key.uniform(number as u64) >= rate;
                    map_in_place(level, Scale(if kept { scale } else { 0.0 }), y);
                    return;
                }
                multiply_by_mask(level, key, number as usize, rate, y);
            });
        });
    });
    Ok(())
}

/// `y = m · y`, m being the mask of the numbers from `start` of a key.
pub(crate) fn multiply_by_mask(level: Level, key: Key, start: usize, rate: f32, y: &mut [f32]) {
    let mut buffer = [0.0; NUMBERS];
    for (index, y) in y.chunks_mut(PIECE).enumerate() {
        let mask = numbers(&mut buffer, start + index * PIECE, y.len(), |first, mask| {
            fill_mask(level, key, first, rate, 1.0 / (1.0 - rate), mask);
        });
        multiply(level, mask, y);
    }
}
