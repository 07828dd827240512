//! Attention of tokens to their own sequence, forward and backward.
//!
//! A task is one head of one sequence. It packs keys and values once, then goes over its queries a band of rows at a time:
//! scores, shares and their gradients of a band stay in cache, and no matrix of all scores ever exists. Products ([`products`]) are tiles of
//! [`super::gemm`] or [`super::bf16`], which write results where they lie in the rows of all heads. Of the keys only those are
//! touched that a query of the band sees, so that the cost of a window is linear in the length. What the distance of two
//! tokens adds to their score is in [`relative`]. A prefix is copied before the keys and values of each head, which then has
//! more of these than queries.

mod products;
mod relative;

use std::ops::Range;

use products::{Left, Panels, Products, Rows, WIDEST};
use relative::{Distances, TableGradients};
use retune_graph::ops::{Attention, AttentionGrad, AttentionGradPrefix, AttentionGradTables, Precision};

use crate::cpu::{Cpu, Parts};
use crate::dispatch::Level;
use crate::error::CpuError;
use crate::kernels::gemm::{MAX_ROWS, Store, TileShape};
use crate::kernels::random::{ExampleKeys, multiply_by_mask};
use crate::kernels::rows::{Add, Larger, dot, fold_row_inline};
use crate::kernels::sequence::Sequences;
use crate::kernels::{Call, bf16};
use crate::math::exp;
use crate::multiversion;

/// Queries of a band: four tiles of the widest instruction set.
const BAND: usize = 4 * MAX_ROWS;

/// Queries of a band where factors are rounded: whole tiles of AMX. No band has more.
const ROUNDED_BAND: usize = 2 * bf16::ROWS;

/// The fewest keys whose products are rounded for pairs: this is done in blocks of 32 steps, and for a sequence of 36 takes longer than
/// pairs save.
const FEWEST_PAIRED: usize = 64;

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

/// What a kernel of this file is to compute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Forward,
    /// The gradients of q, k and v, or those of the prefix.
    Rows,
    /// The gradients of tables of relative positions.
    Tables,
}

/// Values of scratch that a thread needs for a sequence of `n` tokens, the prefix included, and heads of `d` values.
fn thread_scratch(op: &Attention, n: usize, d: usize, pass: Pass) -> usize {
    let joined = if op.prefix > 0 { 2 * n * d } else { 0 };
    let (wide_n, wide_d) = (n.next_multiple_of(WIDEST), d.next_multiple_of(WIDEST));
    // Keys for scores, values for results; backward values for shares' gradients, and keys, and a band of q and of dy. Whole blocks of
    // words hold no more than as many values.
    let packed = match pass {
        Pass::Forward => 2 * wide_d * wide_n,
        Pass::Rows | Pass::Tables => 3 * wide_d * wide_n + 2 * ROUNDED_BAND * wide_d,
    };
    let bands = if pass == Pass::Forward { 1 } else { 2 };
    let of_products = Products::scratch_len(longest_sum(n, d));
    joined + packed + bands * ROUNDED_BAND * wide_n + of_products + relative::scratch_len(op, n, d, pass)
}

/// The most steps of a sum over keys, values of a head or queries.
fn longest_sum(n: usize, d: usize) -> usize {
    n.max(d).max(ROUNDED_BAND)
}

/// The most tokens that a sequence can have.
fn longest(rows: usize, batch: usize, is_ragged: bool) -> usize {
    if is_ragged { rows } else { rows / batch.max(1) }
}

/// Scratch values of the kernels of attention. `batch` is the number of examples.
pub(crate) fn scratch_len(op: &Attention, inputs: &[&[usize]], pass: Pass, cpu: &Cpu, batch: usize) -> usize {
    let n = op.prefix + longest(inputs[0][0], batch, inputs.len() > lengths(op, pass));
    cpu.threads() * thread_scratch(op, n, op.width(inputs[0][1]) / op.heads, pass)
}

/// The number of the input that holds lengths, if there is one.
fn lengths(op: &Attention, pass: Pass) -> usize {
    op.lengths(if pass == Pass::Forward { 0 } else { 1 })
}

/// The next `len` values of scratch.
fn take<'s>(scratch: &mut &'s mut [f32], len: usize) -> &'s mut [f32] {
    let (taken, rest) = std::mem::take(scratch).split_at_mut(len);
    *scratch = rest;
    taken
}

/// Queries that are computed together.
#[derive(Clone)]
struct Band {
    /// The first query, and how many there are.
    first: usize,
    count: usize,
    /// The keys that any of them sees, from a whole panel on. Rows of scores hold these alone.
    keys: Range<usize>,
    /// Values of a padded row of scores.
    row: usize,
}

/// One head of one sequence.
struct Head<'a> {
    op: &'a Attention,
    level: Level,
    /// What multiplies rounded factors, if these are to be.
    unit: Option<bf16::Unit>,
    /// Number of the head, of tokens, and of values of a token.
    head: usize,
    n: usize,
    d: usize,
    /// Number of keys: those of the prefix, then those of the tokens.
    key_count: usize,
    q: Rows<'a>,
    k: Rows<'a>,
    v: Rows<'a>,
    /// Tables of relative positions, with the columns of all heads.
    tables: [&'a [f32]; 2],
    keys: ExampleKeys<'a>,
    sequence: usize,
}

/// What the gradients of a head need of all its keys and values.
struct Packed<'s> {
    products: Products<'s>,
    keys_of_scores: &'s [f32],
    values_of_shares: &'s [f32],
    shares: &'s mut [f32],
    gradient: &'s mut [f32],
}

impl<'a> Head<'a> {
    fn bands(&self) -> impl Iterator<Item = Band> + use<'_> {
        let wide = TileShape::of(self.level).columns;
        let most = if self.unit.is_some() { ROUNDED_BAND } else { BAND };
        (0..self.n).step_by(most).map(move |first| {
            let count = most.min(self.n - first);
            let seen = |query: usize| self.seen_by(query);
            let keys = seen(first).start / WIDEST * WIDEST..seen(first + count - 1).end;
            Band { first, count, row: keys.len().next_multiple_of(wide), keys }
        })
    }

    /// How its factors are multiplied; takes from scratch.
    fn products<'s>(&self, scratch: &mut &'s mut [f32]) -> Products<'s> {
        Products::new(self.level, self.unit, longest_sum(self.key_count, self.d), scratch)
    }

    /// The keys that a query sees.
    fn seen_by(&self, query: usize) -> Range<usize> {
        if self.op.prefix > 0 { 0..self.key_count } else { self.op.reach.seen_by(query, self.n) }
    }

    /// The same head with the prefix before its keys and values, joined in scratch.
    fn joined<'s>(self, prefix: [&[f32]; 2], width: usize, scratch: &mut &'s mut [f32]) -> Head<'s>
    where
        'a: 's,
    {
        let (d, count) = (self.d, self.key_count);
        let [k, v] = [(self.k, prefix[0]), (self.v, prefix[1])].map(|(rows, prefix)| {
            let joined = take(scratch, count * d);
            let (first, own) = joined.split_at_mut(self.op.prefix * d);
            for (row, prefix) in first.chunks_exact_mut(d).zip(prefix.chunks_exact(width)) {
                row.copy_from_slice(&prefix[self.head * d..][..d]);
            }
            for (i, row) in own.chunks_exact_mut(d).enumerate() {
                row.copy_from_slice(&rows.values[i * rows.stride..][..d]);
            }
            Rows { values: &*joined, stride: d, columns: d }
        });
        Head { k, v, ..self }
    }

    /// Shares of a band of queries before dropout, zero where a token is not seen.
    fn shares(
        &self,
        band: &Band,
        products: &mut Products<'_>,
        packed_keys: &[f32],
        distances: &mut Distances<'_>,
        shares: &mut [f32],
    ) {
        let a = Left { values: &self.q.values[band.first * self.q.stride..], row: self.q.stride, step: 1 };
        let b = products.panels(packed_keys, self.d, self.key_count);
        let (c, keys) = ((shares.as_mut_ptr(), band.row), b.of_columns(band.keys.clone()));
        // SAFETY: scratch of this task.
        unsafe { products.product(band.count, a, keys, 0..self.d, Store::Set, c) };
        let scale = distances.add(self, band, b, shares);
        for (i, shares) in shares.chunks_exact_mut(band.row).enumerate().take(band.count) {
            let seen = self.seen_by(band.first + i);
            let seen = seen.start - band.keys.start..seen.end - band.keys.start;
            scaled_softmax(self.level, scale, &mut shares[seen.clone()]);
            shares[..seen.start].fill(0.0);
            shares[seen.end..].fill(0.0);
        }
    }

    /// Multiplies rows of a band by the mask of dropout.
    fn drop(&self, band: &Band, shares: &mut [f32]) {
        let Some((rate, _)) = self.op.dropout else { return };
        let key = self.keys.of(self.sequence);
        for (i, shares) in shares.chunks_exact_mut(band.row).enumerate().take(band.count) {
            let number = (self.head * self.n + band.first + i) * self.key_count + band.keys.start;
            multiply_by_mask(self.level, key, number, rate, &mut shares[..band.keys.len()]);
        }
    }

    /// # Safety
    /// Nobody else uses this head's values of the sequence's rows of y.
    unsafe fn forward(&self, (y, y_row): (*mut f32, usize), mut scratch: &mut [f32]) {
        let (n, d) = (self.key_count, self.d);
        let (wide_n, wide_d) = (n.next_multiple_of(WIDEST), d.next_multiple_of(WIDEST));
        let mut products = self.products(&mut scratch);
        let packed_keys = take(&mut scratch, products.depth(d) * wide_n);
        let packed_values = take(&mut scratch, products.depth(n) * wide_d);
        let shares = take(&mut scratch, ROUNDED_BAND * wide_n);
        let mut distances = Distances::new(self, Pass::Forward, scratch);
        products.pack_transposed(self.k, n, packed_keys);
        products.pack(self.v, 0, n, packed_values);
        for band in self.bands() {
            self.shares(&band, &mut products, packed_keys, &mut distances, shares);
            self.drop(&band, shares);
            let a = Left { values: shares, row: band.row, step: 1 };
            let b = products.panels(packed_values, n, d);
            // SAFETY: by the caller's promise.
            unsafe {
                let y = (y.add(band.first * y_row), y_row);
                products.product(band.count, a, b, band.keys.clone(), Store::Set, y);
            }
        }
    }

    /// Shares of a band and the gradient of its scores, times `scale`. The shares are those before dropout.
    fn scores_gradient(
        &self,
        band: &Band,
        dy: Rows<'_>,
        scale: f32,
        packed: &mut Packed<'_>,
        distances: &mut Distances<'_>,
    ) {
        let (d, level) = (self.d, self.level);
        let Packed { products, keys_of_scores, values_of_shares, shares, gradient } = packed;
        self.shares(band, products, keys_of_scores, distances, shares);
        let a = Left { values: &dy.values[band.first * dy.stride..], row: dy.stride, step: 1 };
        let b = products.panels(values_of_shares, d, self.key_count).of_columns(band.keys.clone());
        // SAFETY: scratch of this task.
        unsafe { products.product(band.count, a, b, 0..d, Store::Set, (gradient.as_mut_ptr(), band.row)) };
        self.drop(band, gradient);
        for i in 0..band.count {
            let place = i * band.row..i * band.row + band.keys.len();
            let (shares, gradient) = (&shares[place.clone()], &mut gradient[place]);
            let sum = dot(level, shares, gradient);
            score_gradient(level, scale, sum, shares, gradient);
        }
    }

    /// # Safety
    /// As [`Head::forward`], for each of the three gradients, whose rows are as far apart as those of q.
    unsafe fn backward(&self, dy: Rows<'_>, [dq, dk, dv]: [*mut f32; 3], mut scratch: &mut [f32]) {
        let (n, d, stride) = (self.key_count, self.d, self.q.stride);
        let wide_d = d.next_multiple_of(WIDEST);
        let mut packed = self.packed(&mut scratch);
        let packed_keys = take(&mut scratch, packed.products.depth(n) * wide_d);
        let packed_band = take(&mut scratch, ROUNDED_BAND * wide_d);
        let packed_dy = take(&mut scratch, ROUNDED_BAND * wide_d);
        let mut distances = Distances::new(self, Pass::Rows, scratch);
        packed.products.pack(self.k, 0, n, packed_keys);
        // Rows of dk and dv before this one have a value already, or are those of the prefix, which are not computed here.
        let prefix = self.op.prefix;
        let mut begun = prefix;
        for band in self.bands() {
            self.scores_gradient(&band, dy, self.op.scale, &mut packed, &mut distances);
            // Only now, as the scores' gradient needs the shares themselves.
            self.drop(&band, packed.shares);
            let Packed { products, shares, gradient, .. } = &mut packed;
            products.pack(self.q, band.first, band.count, packed_band);
            products.pack(dy, band.first, band.count, packed_dy);
            let queries = products.panels(packed_band, band.count, d);
            let dy = products.panels(packed_dy, band.count, d);
            let keys = products.panels(packed_keys, n, d);
            let by_query = Left { values: gradient, row: band.row, step: 1 };
            let old = band.keys.start.max(prefix)..begun.max(band.keys.start);
            let new = old.end..band.keys.end;
            begun = new.end;
            // SAFETY: by the caller's promise.
            unsafe {
                let dq = (dq.add(band.first * stride), stride);
                products.product(band.count, by_query, keys, band.keys.clone(), Store::Set, dq);
                for (rows, store) in [(old, Store::Add), (new, Store::Set)] {
                    for (values, factor, gradient) in [(&**gradient, queries, dk), (&**shares, dy, dv)] {
                        let by_key = Left { values: &values[rows.start - band.keys.start..], row: 1, step: band.row };
                        let gradient = (gradient.add((rows.start - prefix) * stride), stride);
                        products.product(rows.len(), by_key, factor, 0..band.count, store, gradient);
                    }
                }
                distances.add_to_rows(self, &band, gradient, (dq, dk));
            }
        }
    }

    /// Adds the gradients of keys and values of the prefix.
    ///
    /// # Safety
    /// Nobody else uses this head's values of the rows of the two gradients, which are `width` apart.
    unsafe fn prefix_backward(&self, dy: Rows<'_>, [dk, dv]: [*mut f32; 2], width: usize, mut scratch: &mut [f32]) {
        let d = self.d;
        let wide_d = d.next_multiple_of(WIDEST);
        let mut packed = self.packed(&mut scratch);
        let packed_band = take(&mut scratch, ROUNDED_BAND * wide_d);
        let packed_dy = take(&mut scratch, ROUNDED_BAND * wide_d);
        let mut distances = Distances::new(self, Pass::Rows, scratch);
        for band in self.bands() {
            self.scores_gradient(&band, dy, self.op.scale, &mut packed, &mut distances);
            self.drop(&band, packed.shares);
            let Packed { products, shares, gradient, .. } = &mut packed;
            products.pack(self.q, band.first, band.count, packed_band);
            products.pack(dy, band.first, band.count, packed_dy);
            let queries = products.panels(packed_band, band.count, d);
            let dy = products.panels(packed_dy, band.count, d);
            for (values, factor, gradient) in [(&**gradient, queries, dk), (&**shares, dy, dv)] {
                let by_key = Left { values, row: 1, step: band.row };
                let gradient = (gradient, width);
                // SAFETY: by the caller's promise.
                unsafe { products.product(self.op.prefix, by_key, factor, 0..band.count, Store::Add, gradient) };
            }
        }
    }

    /// Adds the gradients of the tables of relative positions.
    fn tables_backward(&self, dy: Rows<'_>, tables: &mut TableGradients<'_>, mut scratch: &mut [f32]) {
        let wide_d = self.d.next_multiple_of(WIDEST);
        let mut packed = self.packed(&mut scratch);
        let packed_keys = take(&mut scratch, self.n * wide_d);
        let packed_band = take(&mut scratch, BAND * wide_d);
        let mut distances = Distances::new(self, Pass::Tables, scratch);
        self.k.pack(self.level, 0, self.n, packed_keys);
        for band in self.bands() {
            let scale = distances.gradient_scale(self);
            self.scores_gradient(&band, dy, scale, &mut packed, &mut distances);
            self.q.pack(self.level, band.first, band.count, packed_band);
            let queries = Panels { values: packed_band, steps: band.count, columns: self.d };
            let keys = Panels { values: packed_keys, steps: self.n, columns: self.d };
            distances.collect(self, &band, packed.gradient, queries, keys);
        }
        distances.add_to_tables(self, tables);
    }

    /// Scratch of the gradients, with packed keys and values.
    fn packed<'s>(&self, scratch: &mut &'s mut [f32]) -> Packed<'s> {
        let wide_n = self.key_count.next_multiple_of(WIDEST);
        let products = self.products(scratch);
        let keys_of_scores = take(scratch, products.depth(self.d) * wide_n);
        let values_of_shares = take(scratch, products.depth(self.d) * wide_n);
        products.pack_transposed(self.k, self.key_count, keys_of_scores);
        products.pack_transposed(self.v, self.key_count, values_of_shares);
        let (shares, gradient) = (take(scratch, ROUNDED_BAND * wide_n), take(scratch, ROUNDED_BAND * wide_n));
        Packed { products, keys_of_scores, values_of_shares, shares, gradient }
    }
}

/// The heads of the sequences of a call.
struct Heads<'a> {
    op: &'a Attention,
    level: Level,
    unit: Option<bf16::Unit>,
    /// Values of a row of the result.
    width: usize,
    /// From the first of each on, and the distance between their rows.
    rows: [&'a [f32]; 3],
    stride: usize,
    tables: [&'a [f32]; 2],
    prefix: [&'a [f32]; 2],
    sequences: Sequences<'a>,
    keys: ExampleKeys<'a>,
}

impl<'a> Heads<'a> {
    fn new(call: &Call<'a>, op: &'a Attention, pass: Pass) -> Result<Heads<'a>, CpuError> {
        let (rows, stride) = (call.input_shape(0)[0], call.input_shape(0)[1]);
        let width = op.width(stride);
        let table = |index: usize| if index < op.tables() { call.input(op.rows() + index) } else { &[] };
        let prefix = [0, 1].map(|index| if op.prefix > 0 { call.input(op.prefix_keys() + index) } else { &[] });
        let sequences = Sequences::new(call, lengths(op, pass), rows)?;
        Ok(Heads {
            op,
            level: call.cpu.level(),
            // What the distance of tokens adds is computed in 32 bits.
            unit: call.cpu.bf16().filter(|_| op.precision == Precision::Bf16 && op.relative.is_none()),
            width,
            rows: [0, 1, 2].map(|index| match op.packed {
                // There may be no rows.
                true => call.input(0).get(index * width..).unwrap_or(&[]),
                false => call.input(index),
            }),
            stride,
            tables: [table(0), table(1)],
            prefix,
            sequences,
            keys: ExampleKeys::of_sequences(call, op.dropout.map_or(0, |(_, stream)| stream), sequences),
        })
    }

    /// A head, and where its values begin among q and in the result; `None` if it has none. A prefix is joined to it in scratch.
    fn head<'s>(&self, sequence: usize, head: usize, scratch: &mut &'s mut [f32]) -> Option<(Head<'s>, [usize; 2])>
    where
        'a: 's,
    {
        let d = self.width / self.op.heads;
        let (start, n) = self.sequences.of(sequence);
        if n == 0 || d == 0 {
            return None;
        }
        let begin = [self.stride, self.width].map(|row| start * row + head * d);
        let [q, k, v] = self.rows.map(|values| Rows { values: &values[begin[0]..], stride: self.stride, columns: d });
        let (op, level, tables, keys) = (self.op, self.level, self.tables, self.keys);
        let key_count = op.prefix + n;
        let unit = self.unit.filter(|&unit| unit == bf16::Unit::Tiles || key_count >= FEWEST_PAIRED);
        let head = Head { op, level, unit, head, n, d, key_count, q, k, v, tables, keys, sequence };
        Some((if op.prefix > 0 { head.joined(self.prefix, self.width, scratch) } else { head }, begin))
    }
}

/// Calls `f(head, where its values begin as in [`Heads::head`], scratch)` for each head of each sequence, in parallel.
fn for_each_head<'a>(
    call: &mut Call<'a>,
    op: &'a Attention,
    pass: Pass,
    f: impl Fn(&Head<'_>, [usize; 2], &mut [f32]) + Sync,
) -> Result<(), CpuError> {
    let heads = Heads::new(call, op, pass)?;
    let scratch = Parts::new(call.scratch());
    let thread_len = scratch.len() / call.cpu.threads();
    call.cpu.run_on_threads(heads.sequences.count(call.batch) * op.heads, |thread, task| {
        // SAFETY: each thread has its own part.
        let mut scratch = unsafe { scratch.slice(thread * thread_len, thread_len) };
        if let Some((head, begin)) = heads.head(task / op.heads, task % op.heads, &mut scratch) {
            f(&head, begin, scratch);
        }
    });
    Ok(())
}

pub(crate) fn attention<'a>(op: &'a Attention, mut call: Call<'a>) -> Result<(), CpuError> {
    let width = call.shape[1];
    let y = Parts::new(call.output());
    for_each_head(&mut call, op, Pass::Forward, |head, [_, begin], scratch| {
        // SAFETY: heads of a sequence have columns of their own, and sequences rows of their own.
        unsafe { head.forward((y.at(begin), width), scratch) };
    })
}

pub(crate) fn attention_grad<'a>(op: &'a AttentionGrad, mut call: Call<'a>) -> Result<(), CpuError> {
    let (dy, width) = (call.input(op.0.lengths(0)), call.input_shape(op.0.lengths(0))[1]);
    let part = if op.0.packed { width } else { dy.len() };
    let all = Parts::new(call.output());
    for_each_head(&mut call, &op.0, Pass::Rows, |head, [begin, of_dy], scratch| {
        let dy = Rows { values: &dy[of_dy..], stride: width, columns: head.d };
        // SAFETY: as in the forward pass, in each of the three parts.
        unsafe { head.backward(dy, [0, 1, 2].map(|index| all.at(index * part + begin)), scratch) };
    })
}

/// Calls `add(head, dy, gradients, scratch)` for each head of each sequence, to add to gradients that are zero at first. A task is one head
/// of all sequences, in their order.
fn add_of_all_sequences<'a>(
    call: &mut Call<'a>,
    op: &'a Attention,
    pass: Pass,
    add: impl Fn(&Head<'_>, Rows<'_>, Parts<'_>, &mut [f32]) + Sync,
) -> Result<(), CpuError> {
    let dy = call.input(op.lengths(0));
    let heads = Heads::new(call, op, pass)?;
    let output = call.output();
    output.fill(0.0);
    let (gradients, scratch) = (Parts::new(output), Parts::new(call.scratch()));
    let thread_len = scratch.len() / call.cpu.threads();
    call.cpu.run_on_threads(op.heads, |thread, number| {
        for sequence in 0..heads.sequences.count(call.batch) {
            // SAFETY: each thread has its own part.
            let mut scratch = unsafe { scratch.slice(thread * thread_len, thread_len) };
            if let Some((head, [_, of_dy])) = heads.head(sequence, number, &mut scratch) {
                let dy = Rows { values: &dy[of_dy..], stride: heads.width, columns: head.d };
                add(&head, dy, gradients, scratch);
            }
        }
    });
    Ok(())
}

pub(crate) fn attention_grad_tables<'a>(op: &'a AttentionGradTables, mut call: Call<'a>) -> Result<(), CpuError> {
    let (rows, columns) = (call.shape[1], call.shape[2]);
    add_of_all_sequences(&mut call, &op.0, Pass::Tables, |head, dy, gradients, scratch| {
        head.tables_backward(dy, &mut TableGradients { gradients, rows, columns }, scratch);
    })
}

pub(crate) fn attention_grad_prefix<'a>(op: &'a AttentionGradPrefix, mut call: Call<'a>) -> Result<(), CpuError> {
    let (rows, width) = (call.shape[1], call.shape[2]);
    add_of_all_sequences(&mut call, &op.0, Pass::Rows, |head, dy, gradients, scratch| {
        // SAFETY: heads have columns of their own.
        unsafe {
            let gradients = [0, 1].map(|part| gradients.at(part * rows * width + head.head * head.d));
            head.prefix_backward(dy, gradients, width, scratch);
        }
    })
}
