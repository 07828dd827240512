//! Attention of tokens to their own sequence, forward and backward.
//!
//! A task is one head of one sequence. It packs keys and values once, then goes over its queries a band of rows at a time:
//! scores, shares and their gradients of a band stay in cache, and no matrix of all scores ever exists. Products are tiles of
//! [`super::gemm`], which read queries and write results where they lie in the rows of all heads.

use retune_graph::ops::{Attention, AttentionGrad};

use crate::cpu::{Cpu, Parts};
use crate::dispatch::Level;
use crate::error::CpuError;
use crate::kernels::Call;
use crate::kernels::gemm::{self, MAX_ROWS, Segment, Store, Tile, TileShape};
use crate::kernels::random::{ExampleKeys, multiply_by_mask};
use crate::kernels::rows::{Add, Larger, dot, fold_row_inline};
use crate::kernels::sequence::Sequences;
use crate::math::exp;
use crate::multiversion;

/// Queries of a band: four tiles of the widest instruction set.
const BAND: usize = 4 * MAX_ROWS;

/// The widest tile of any level, so that scratch sizes do not depend on it.
const WIDEST: usize = 32;

multiversion! {
    /// `x = exp(scale · x − max) / Σ exp(scale · x − max)`.
    fn scaled_softmax(scale: f32, x: &mut [f32]) {
        for x in x.iter_mut() {
            *x *= scale;
        }
        let max = fold_row_inline(Larger, f32::NEG_INFINITY, x);
        for x in x.iter_mut() {
            *x = exp(*x - max);
        }
        let share = 1.0 / fold_row_inline(Add, 0.0, x);
        for x in x.iter_mut() {
            *x *= share;
        }
    }

    /// `dp = scale · p · (dp − sum)`.
    fn score_gradient(scale: f32, sum: f32, p: &[f32], dp: &mut [f32]) {
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = scale * (p * (*dp - sum));
        }
    }
}

/// A matrix whose rows are `stride` values apart, of which `columns` count.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
    columns: usize,
}

impl Rows<'_> {
    /// Rows `from..from + count` as panels of the right factor of a product whose sum runs over these rows.
    fn pack(&self, level: Level, from: usize, count: usize, panels: &mut [f32]) {
        let wide = TileShape::of(level).columns;
        if count == 0 {
            return;
        }
        for (index, panel) in panels.chunks_exact_mut(count * wide).enumerate().take(self.columns.div_ceil(wide)) {
            let values = &self.values[from * self.stride..];
            gemm::pack_panel(values, (self.stride, 1), count, index * wide, self.columns, panel);
        }
    }

    /// All rows as panels of the right factor of a product whose sum runs over the columns.
    fn pack_transposed(&self, level: Level, count: usize, panels: &mut [f32]) {
        let wide = TileShape::of(level).columns;
        if self.columns == 0 {
            return;
        }
        for (index, panel) in panels.chunks_exact_mut(self.columns * wide).enumerate().take(count.div_ceil(wide)) {
            gemm::pack_panel(self.values, (1, self.stride), self.columns, index * wide, count, panel);
        }
    }
}

/// A left factor: value `(m, k)` is `values[m · row + k · step]`.
#[derive(Clone, Copy)]
struct Left<'a> {
    values: &'a [f32],
    row: usize,
    step: usize,
}

/// A right factor in panels of `steps` rows.
#[derive(Clone, Copy)]
struct Panels<'a> {
    values: &'a [f32],
    steps: usize,
    columns: usize,
}

/// `C[m, n] = Σ A(m, k) · B(k, n)` over the steps `sum`, for `count` rows of C that are `row` values apart.
///
/// # Safety
/// C is valid for these rows, and nobody else uses their `b.columns` values meanwhile.
unsafe fn product(
    level: Level,
    count: usize,
    a: Left<'_>,
    b: Panels<'_>,
    sum: std::ops::Range<usize>,
    store: Store<'_>,
    (c, row): (*mut f32, usize),
) {
    let TileShape { rows, columns: wide } = TileShape::of(level);
    for first in (0..count).step_by(rows) {
        let used = rows.min(count - first);
        let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
        for m in 0..used {
            a_rows[m] = (first + m) * a.row;
            c_rows[m] = (first + m) * row;
        }
        for panel in 0..b.columns.div_ceil(wide) {
            let start = panel * b.steps * wide;
            let tile = Tile {
                a: a.values,
                rows: &a_rows[..used],
                a_step: a.step,
                b: &b.values[start..start + b.steps * wide],
                b_step: wide,
                segments: &[Segment { a: sum.start * a.step, b: sum.start * wide, len: sum.len() }],
                columns: wide.min(b.columns - panel * wide),
                store,
            };
            // SAFETY: by the caller's promise.
            unsafe { gemm::compute(level, &tile, c.add(panel * wide), &c_rows[..used]) };
        }
    }
}

/// Values of scratch that a thread needs for a sequence of `n` tokens and heads of `d` values, forward or backward.
fn thread_scratch(n: usize, d: usize, is_gradient: bool) -> usize {
    let (wide_n, wide_d) = (n.next_multiple_of(WIDEST), d.next_multiple_of(WIDEST));
    // Keys for scores, values for results; backward values for shares' gradients, and keys, and a band of q and of dy.
    let packed = if is_gradient { 2 * d * wide_n + n * wide_d + 2 * BAND * wide_d } else { d * wide_n + n * wide_d };
    packed + if is_gradient { 2 } else { 1 } * BAND * wide_n
}

/// The most tokens that a sequence can have.
fn longest(rows: usize, batch: usize, is_ragged: bool) -> usize {
    if is_ragged { rows } else { rows / batch.max(1) }
}

/// Scratch values of [`attention`] and [`attention_grad`]. `batch` is the number of examples.
pub(crate) fn scratch_len(op: &Attention, inputs: &[&[usize]], is_gradient: bool, cpu: &Cpu, batch: usize) -> usize {
    let rows = if is_gradient { 4 } else { 3 };
    let n = longest(inputs[0][0], batch, inputs.len() > rows);
    cpu.threads() * thread_scratch(n, inputs[0][1] / op.heads, is_gradient)
}

/// One head of one sequence.
struct Head<'a> {
    op: &'a Attention,
    level: Level,
    /// Number of the head, of tokens, and of values of a token.
    head: usize,
    n: usize,
    d: usize,
    q: Rows<'a>,
    k: Rows<'a>,
    v: Rows<'a>,
    keys: ExampleKeys<'a>,
    example: usize,
}

impl<'a> Head<'a> {
    /// Values of a padded row of scores.
    fn score_row(&self) -> usize {
        self.n.next_multiple_of(TileShape::of(self.level).columns)
    }

    /// The tokens that any of these queries sees.
    fn seen(&self, first: usize, count: usize) -> std::ops::Range<usize> {
        self.op.reach.seen_by(first, self.n).start..self.op.reach.seen_by(first + count - 1, self.n).end
    }

    /// Shares of a band of queries before dropout, zero where a token is not seen.
    fn shares(&self, first: usize, count: usize, packed_keys: &[f32], shares: &mut [f32]) {
        let row = self.score_row();
        let a = Left { values: &self.q.values[first * self.q.stride..], row: self.q.stride, step: 1 };
        let b = Panels { values: packed_keys, steps: self.d, columns: self.n };
        // SAFETY: scratch of this task.
        unsafe { product(self.level, count, a, b, 0..self.d, Store::Set, (shares.as_mut_ptr(), row)) };
        for (i, shares) in shares.chunks_exact_mut(row).enumerate().take(count) {
            let seen = self.op.reach.seen_by(first + i, self.n);
            scaled_softmax(self.level, self.op.scale, &mut shares[seen.clone()]);
            shares[..seen.start].fill(0.0);
            shares[seen.end..].fill(0.0);
        }
    }

    /// Multiplies rows of a band by the mask of dropout.
    fn drop(&self, first: usize, count: usize, shares: &mut [f32]) {
        let Some((rate, _)) = self.op.dropout else { return };
        let key = self.keys.of(self.example);
        for (i, shares) in shares.chunks_exact_mut(self.score_row()).enumerate().take(count) {
            let number = (self.head * self.n + first + i) * self.n;
            multiply_by_mask(self.level, key, number, rate, &mut shares[..self.n]);
        }
    }

    /// # Safety
    /// Nobody else uses this head's values of the sequence's rows of y, which are as far apart as those of q.
    unsafe fn forward(&self, y: *mut f32, scratch: &mut [f32]) {
        let (n, d, level) = (self.n, self.d, self.level);
        let (wide_n, wide_d) = (n.next_multiple_of(WIDEST), d.next_multiple_of(WIDEST));
        let (packed_keys, rest) = scratch.split_at_mut(d * wide_n);
        let (packed_values, shares) = rest.split_at_mut(n * wide_d);
        self.k.pack_transposed(level, n, packed_keys);
        self.v.pack(level, 0, n, packed_values);
        for first in (0..n).step_by(BAND) {
            let count = BAND.min(n - first);
            self.shares(first, count, packed_keys, shares);
            self.drop(first, count, shares);
            let a = Left { values: shares, row: self.score_row(), step: 1 };
            let b = Panels { values: packed_values, steps: n, columns: d };
            let stride = self.q.stride;
            // SAFETY: by the caller's promise.
            unsafe {
                product(level, count, a, b, self.seen(first, count), Store::Set, (y.add(first * stride), stride))
            };
        }
    }

    /// # Safety
    /// As [`Head::forward`], for each of the three gradients.
    unsafe fn backward(&self, dy: Rows<'_>, [dq, dk, dv]: [*mut f32; 3], scratch: &mut [f32]) {
        let (n, d, level, stride) = (self.n, self.d, self.level, self.q.stride);
        let (wide_n, wide_d, row) = (n.next_multiple_of(WIDEST), d.next_multiple_of(WIDEST), self.score_row());
        let (keys_of_scores, rest) = scratch.split_at_mut(d * wide_n);
        let (values_of_shares, rest) = rest.split_at_mut(d * wide_n);
        let (packed_keys, rest) = rest.split_at_mut(n * wide_d);
        let (packed_band, rest) = rest.split_at_mut(BAND * wide_d);
        let (packed_dy, rest) = rest.split_at_mut(BAND * wide_d);
        let (shares, gradient) = rest.split_at_mut(BAND * wide_n);
        self.k.pack_transposed(level, n, keys_of_scores);
        self.v.pack_transposed(level, n, values_of_shares);
        self.k.pack(level, 0, n, packed_keys);
        for first in (0..n).step_by(BAND) {
            let count = BAND.min(n - first);
            self.shares(first, count, keys_of_scores, shares);
            let a = Left { values: &dy.values[first * stride..], row: stride, step: 1 };
            let b = Panels { values: values_of_shares, steps: d, columns: n };
            // SAFETY: scratch of this task.
            unsafe { product(level, count, a, b, 0..d, Store::Set, (gradient.as_mut_ptr(), row)) };
            self.drop(first, count, gradient);
            for i in 0..count {
                let (shares, gradient) = (&shares[i * row..][..n], &mut gradient[i * row..][..n]);
                let sum = dot(level, shares, gradient);
                score_gradient(level, self.op.scale, sum, shares, gradient);
            }
            // Only now, as the scores' gradient needs the shares themselves.
            self.drop(first, count, shares);
            self.q.pack(level, first, count, packed_band);
            dy.pack(level, first, count, packed_dy);
            let store = if first == 0 { Store::Set } else { Store::Add };
            let by_key = |values| Left { values, row: 1, step: row };
            let band = |values| Panels { values, steps: count, columns: d };
            let keys = Panels { values: packed_keys, steps: n, columns: d };
            let by_query = Left { values: gradient, row, step: 1 };
            // SAFETY: by the caller's promise.
            unsafe {
                let dq = (dq.add(first * stride), stride);
                product(level, count, by_query, keys, self.seen(first, count), Store::Set, dq);
                product(level, n, by_key(gradient), band(packed_band), 0..count, store, (dk, stride));
                product(level, n, by_key(shares), band(packed_dy), 0..count, store, (dv, stride));
            }
        }
    }
}

/// Calls `f(head, where its values begin, scratch)` for each head of each sequence, in parallel.
fn for_each_head<'a>(
    call: &mut Call<'a>,
    op: &'a Attention,
    is_gradient: bool,
    f: impl Fn(&Head<'a>, usize, &mut [f32]) + Sync,
) -> Result<(), CpuError> {
    let (rows, width) = (call.input_shape(0)[0], call.input_shape(0)[1]);
    let sequences = Sequences::new(call, if is_gradient { 4 } else { 3 }, rows)?;
    let (level, d) = (call.cpu.level(), width / op.heads);
    let keys = ExampleKeys::new(call, op.dropout.map_or(0, |(_, stream)| stream));
    let (q, k, v) = (call.input(0), call.input(1), call.input(2));
    let scratch = Parts::new(call.scratch());
    let thread_len = scratch.len() / call.cpu.threads();
    call.cpu.run_on_threads(call.batch * op.heads, |thread, task| {
        let (example, head) = (task / op.heads, task % op.heads);
        let (start, n) = sequences.of(example);
        if n == 0 || d == 0 {
            return;
        }
        let begin = start * width + head * d;
        let rows = |values: &'a [f32]| Rows { values: &values[begin..], stride: width, columns: d };
        let head = Head { op, level, head, n, d, q: rows(q), k: rows(k), v: rows(v), keys, example };
        // SAFETY: each thread has its own part.
        f(&head, begin, unsafe { scratch.slice(thread * thread_len, thread_len) });
    });
    Ok(())
}

pub(crate) fn attention<'a>(op: &'a Attention, mut call: Call<'a>) -> Result<(), CpuError> {
    let y = Parts::new(call.output());
    for_each_head(&mut call, op, false, |head, begin, scratch| {
        // SAFETY: heads of a sequence have columns of their own, and sequences rows of their own.
        unsafe { head.forward(y.at(begin), scratch) };
    })
}

pub(crate) fn attention_grad<'a>(op: &'a AttentionGrad, mut call: Call<'a>) -> Result<(), CpuError> {
    let (dy, len) = (call.input(3), call.input(0).len());
    let all = Parts::new(call.output());
    for_each_head(&mut call, &op.0, true, |head, begin, scratch| {
        let dy = Rows { values: &dy[begin..], ..head.q };
        // SAFETY: as in the forward pass, in each of the three parts.
        unsafe { head.backward(dy, [0, 1, 2].map(|part| all.at(part * len + begin)), scratch) };
    })
}
