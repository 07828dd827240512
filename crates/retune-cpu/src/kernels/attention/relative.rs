//! What the distance of two tokens adds to their score in [`super::attention`], and the gradients of that.
//!
//! Everything is computed by distance, not by bucket: rows of tables are copied to a row for each distance that a sequence
//! has, from `−(n − 1)` to `n − 1`. So the scores of a query stand in the order of its keys, and are added as one run.
//!
//! - A bias is one vector of the head by distance, of which a query takes a run.
//! - Keys: the product of a band of queries and the vectors of its distances, of whose row a query takes a run.
//! - Queries: the product of vectors and keys, a panel of keys at a time. It has a row for each distance, so that the scores
//!   of a query lie on a diagonal.

use std::ops::Range;

use retune_graph::ops::{Attention, Buckets, Relative};

use super::products::{Left, Panels, Rows, WIDEST, product};
use super::{BAND, Band, Head, Pass, take};
use crate::cpu::Parts;
use crate::kernels::gemm::Store;
use crate::multiversion;

multiversion! {
    /// `y += x`.
    fn add(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }

    /// `y = scale · y + x`.
    fn scale_and_add(scale: f32, x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = scale * *y + x;
        }
    }

    /// Adds the diagonals of a block of `block` by distance and key to rows of scores by query and key. The row of the block
    /// for query i and key j of `columns` is `j + count − 1 − i`.
    fn add_diagonals(block: &[f32], columns: usize, count: usize, row: usize, scores: &mut [f32]) {
        for i in 0..count {
            let scores = &mut scores[i * row..][..columns];
            let diagonal = &block[(count - 1 - i) * WIDEST..];
            for (score, x) in scores.iter_mut().zip(diagonal.iter().step_by(WIDEST + 1)) {
                *score += x;
            }
        }
    }

    /// The other way round: a block with the rows of `gradient` on its diagonals, and zeros elsewhere.
    fn set_diagonals(gradient: &[f32], columns: usize, count: usize, row: usize, block: &mut [f32]) {
        block[..(count + columns - 1) * WIDEST].fill(0.0);
        for i in 0..count {
            let gradient = &gradient[i * row..][..columns];
            let diagonal = &mut block[(count - 1 - i) * WIDEST..];
            for (x, gradient) in diagonal.iter_mut().step_by(WIDEST + 1).zip(gradient) {
                *x = *gradient;
            }
        }
    }
}

/// Rows of a block: the distances of a band of queries and a panel of keys.
const BLOCK_ROWS: usize = BAND + WIDEST - 1;

/// Number of distances in a sequence of `n` tokens.
fn count(n: usize) -> usize {
    2 * n - 1
}

/// The number of the distance `key − query`.
fn place(n: usize, key: usize, query: usize) -> usize {
    key + n - 1 - query
}

/// The places of all distances of a band.
fn places(n: usize, band: &Band) -> Range<usize> {
    place(n, band.keys.start, band.first + band.count - 1)..place(n, band.keys.end - 1, band.first) + 1
}

/// Most values of a row of scores by distance: those of a band and all keys, from a whole panel on.
fn widest_row(n: usize) -> usize {
    (n + BAND).next_multiple_of(WIDEST) + WIDEST
}

/// Values of scratch that a head needs for the relative positions of a sequence of `n` tokens.
pub(super) fn scratch_len(op: &Attention, n: usize, d: usize, pass: Pass) -> usize {
    let distances = count(n.max(1));
    match op.relative {
        None => 0,
        Some(Relative::Bias(_)) => 2 * distances,
        Some(Relative::Vectors { keys, queries, .. }) => {
            let rows = distances * d;
            let packed = d * distances.next_multiple_of(WIDEST);
            let by_distance = distances * d.next_multiple_of(WIDEST);
            let of_pass = if pass == Pass::Forward { 0 } else { by_distance.max(rows) };
            usize::from(keys) * (rows + packed + BAND * widest_row(n) + of_pass)
                + usize::from(queries) * (rows + BLOCK_ROWS * WIDEST + of_pass)
        }
    }
}

/// The term of a query and the vectors of its distances.
pub(super) struct Keys<'s> {
    /// The vectors for scores.
    packed: &'s [f32],
    /// The vectors for the gradient of queries, or the gradients of the vectors.
    by_distance: &'s mut [f32],
    /// Scores of a band by distance.
    scores: &'s mut [f32],
}

/// The term of a key and the vectors of its distances.
pub(super) struct Queries<'s> {
    vectors: &'s [f32],
    /// The vectors for the gradient of keys, or the gradients of the vectors.
    by_distance: &'s mut [f32],
    block: &'s mut [f32],
}

/// What the distances of one head of one sequence add.
pub(super) enum Distances<'s> {
    Nothing,
    Bias { bias: &'s [f32], gradient: &'s mut [f32] },
    Vectors { keys: Option<Keys<'s>>, queries: Option<Queries<'s>> },
}

/// Gradients of all tables, stacked, of this many rows and columns each.
pub(super) struct TableGradients<'a> {
    pub gradients: Parts<'a>,
    pub rows: usize,
    pub columns: usize,
}

impl<'s> Distances<'s> {
    pub fn new(head: &Head<'_>, pass: Pass, mut scratch: &'s mut [f32]) -> Distances<'s> {
        let (n, d) = (head.n, head.d);
        match head.op.relative {
            None => Distances::Nothing,
            Some(Relative::Bias(buckets)) => {
                let (bias, gradient) = (take(&mut scratch, count(n)), take(&mut scratch, count(n)));
                for (bucket, bias) in by_place(buckets, n).zip(bias.iter_mut()) {
                    *bias = head.tables[0][bucket * head.op.heads + head.head];
                }
                gradient.fill(0.0);
                Distances::Bias { bias, gradient }
            }
            Some(Relative::Vectors { buckets, keys, queries }) => {
                let mut vectors = |table: &[f32]| {
                    let vectors = take(&mut scratch, count(n) * d);
                    for (bucket, vector) in by_place(buckets, n).zip(vectors.chunks_exact_mut(d)) {
                        vector.copy_from_slice(&table[bucket * head.q.stride + head.head * d..][..d]);
                    }
                    &*vectors
                };
                let keys = keys.then(|| vectors(head.tables[0]));
                let queries = queries.then(|| vectors(head.tables[usize::from(keys.is_some())]));
                let by_distance = |vectors: &[f32], scratch: &mut &'s mut [f32]| match pass {
                    Pass::Forward => take(scratch, 0),
                    Pass::Rows => {
                        let packed = take(scratch, count(n) * d.next_multiple_of(WIDEST));
                        rows(vectors, d).pack(head.level, 0, count(n), packed);
                        packed
                    }
                    Pass::Tables => {
                        let gradients = take(scratch, count(n) * d);
                        gradients.fill(0.0);
                        gradients
                    }
                };
                let keys = keys.map(|vectors| {
                    let packed = take(&mut scratch, d * count(n).next_multiple_of(WIDEST));
                    rows(vectors, d).pack_transposed(head.level, count(n), packed);
                    let by_distance = by_distance(vectors, &mut scratch);
                    Keys { packed, by_distance, scores: take(&mut scratch, BAND * widest_row(n)) }
                });
                let queries = queries.map(|vectors| {
                    let by_distance = by_distance(vectors, &mut scratch);
                    Queries { vectors, by_distance, block: take(&mut scratch, BLOCK_ROWS * WIDEST) }
                });
                Distances::Vectors { keys, queries }
            }
        }
    }

    /// Adds to the products of a band of queries and its keys; `keys` are all keys for scores. Returns the factor that is
    /// still to be applied.
    pub fn add(&mut self, head: &Head<'_>, band: &Band, keys: Panels<'_>, scores: &mut [f32]) -> f32 {
        let (n, level, scale) = (head.n, head.level, head.op.scale);
        match self {
            Distances::Nothing => scale,
            Distances::Bias { bias, .. } => {
                for (i, scores) in scores.chunks_exact_mut(band.row).enumerate().take(band.count) {
                    let from = place(n, band.keys.start, band.first + i);
                    scale_and_add(level, scale, &bias[from..][..band.keys.len()], scores);
                }
                1.0
            }
            Distances::Vectors { keys: by_query, queries: by_key } => {
                if let Some(term) = by_query {
                    term.add(head, band, scores);
                }
                if let Some(term) = by_key {
                    term.add(head, band, keys, scores);
                }
                scale
            }
        }
    }

    /// The factor of the scores' gradient that the gradients of tables take.
    pub fn gradient_scale(&self, head: &Head<'_>) -> f32 {
        match self {
            Distances::Bias { .. } => 1.0,
            Distances::Nothing | Distances::Vectors { .. } => head.op.scale,
        }
    }

    /// Adds to the gradients of the band's queries and of keys what they have from vectors of relative positions, of the
    /// scaled gradient of scores. `dq` begins at the band's first query.
    ///
    /// # Safety
    /// As for [`product`], for the band's rows of `dq` and those of `dk` that the band sees.
    pub unsafe fn add_to_rows(
        &mut self,
        head: &Head<'_>,
        band: &Band,
        gradient: &[f32],
        (dq, dk): ((*mut f32, usize), *mut f32),
    ) {
        let Distances::Vectors { keys, queries } = self else { return };
        let (n, d, level) = (head.n, head.d, head.level);
        if let Some(term) = keys {
            let row = term.spread(head, band, gradient);
            let a = Left { values: term.scores, row, step: 1 };
            // SAFETY: by the caller's promise.
            unsafe {
                product(level, band.count, a, by_places(term.by_distance, n, d), places(n, band), Store::Add, dq)
            };
        }
        if let Some(term) = queries {
            for panel in panels(band) {
                let distances = term.spread(head, band, gradient, &panel);
                let a = Left { values: term.block, row: 1, step: WIDEST };
                // SAFETY: by the caller's promise.
                unsafe {
                    let dk = (dk.add(panel.start * head.q.stride), head.q.stride);
                    product(level, panel.len(), a, by_places(term.by_distance, n, d), distances, Store::Add, dk);
                }
            }
        }
    }

    /// Adds to the gradients by distance, of the gradient of a band's scores. `queries` are those of the band, `keys` all.
    pub fn collect(&mut self, head: &Head<'_>, band: &Band, gradient: &[f32], queries: Panels<'_>, keys: Panels<'_>) {
        let (n, d, level) = (head.n, head.d, head.level);
        match self {
            Distances::Nothing => {}
            Distances::Bias { gradient: sums, .. } => {
                for (i, gradient) in gradient.chunks_exact(band.row).enumerate().take(band.count) {
                    let from = place(n, band.keys.start, band.first + i);
                    add(level, gradient, &mut sums[from..][..band.keys.len()]);
                }
            }
            Distances::Vectors { keys: by_query, queries: by_key } => {
                if let Some(term) = by_query {
                    let (row, places) = (term.spread(head, band, gradient), places(n, band));
                    let sums = &mut term.by_distance[places.start * d..places.end * d];
                    let a = Left { values: term.scores, row: 1, step: row };
                    // SAFETY: scratch of this task.
                    unsafe {
                        product(level, places.len(), a, queries, 0..band.count, Store::Add, (sums.as_mut_ptr(), d));
                    }
                }
                if let Some(term) = by_key {
                    for panel in panels(band) {
                        let places = term.spread(head, band, gradient, &panel);
                        let sums = &mut term.by_distance[places.start * d..places.end * d];
                        let a = Left { values: term.block, row: WIDEST, step: 1 };
                        // SAFETY: scratch of this task.
                        unsafe { product(level, places.len(), a, keys, panel, Store::Add, (sums.as_mut_ptr(), d)) };
                    }
                }
            }
        }
    }

    /// Adds the gradients by distance to those of the head's columns of the tables.
    pub fn add_to_tables(&self, head: &Head<'_>, tables: &mut TableGradients<'_>) {
        let Some(relative) = head.op.relative else { return };
        let (by_distance, columns): ([Option<&[f32]>; 2], usize) = match self {
            Distances::Nothing => return,
            Distances::Bias { gradient, .. } => ([Some(gradient), None], 1),
            Distances::Vectors { keys, queries } => {
                let keys = keys.as_ref().map(|term| &*term.by_distance);
                ([keys, queries.as_ref().map(|term| &*term.by_distance)], head.d)
            }
        };
        for (table, gradients) in by_distance.into_iter().flatten().enumerate() {
            for (bucket, gradient) in by_place(relative.buckets(), head.n).zip(gradients.chunks_exact(columns)) {
                let start = (table * tables.rows + bucket) * tables.columns + head.head * columns;
                // SAFETY: heads have columns of their own.
                add(head.level, gradient, unsafe { tables.gradients.slice(start, columns) });
            }
        }
    }
}

/// The buckets of all distances, by their places.
fn by_place(buckets: Buckets, n: usize) -> impl Iterator<Item = usize> {
    let last = n as isize - 1;
    (-last..=last).map(move |distance| buckets.of(distance))
}

/// Rows of `d` values that follow each other.
fn rows(values: &[f32], d: usize) -> Rows<'_> {
    Rows { values, stride: d, columns: d }
}

/// A row for each distance, packed as the right factor of a product whose sum runs over distances.
fn by_places(values: &[f32], n: usize, d: usize) -> Panels<'_> {
    Panels { values, steps: count(n), columns: d }
}

/// The keys of a band, a panel at a time.
fn panels(band: &Band) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = band.keys.end;
    band.keys.clone().step_by(WIDEST).map(move |start| start..end.min(start + WIDEST))
}

impl Keys<'_> {
    fn add(&mut self, head: &Head<'_>, band: &Band, scores: &mut [f32]) {
        let (n, d, level) = (head.n, head.d, head.level);
        let places = places(n, band);
        let columns = places.start / WIDEST * WIDEST..places.end;
        let row = columns.len().next_multiple_of(WIDEST);
        let a = Left { values: &head.q.values[band.first * head.q.stride..], row: head.q.stride, step: 1 };
        let b = Panels { values: self.packed, steps: d, columns: count(n) }.of_columns(columns.clone());
        // SAFETY: scratch of this task.
        unsafe { product(level, band.count, a, b, 0..d, Store::Set, (self.scores.as_mut_ptr(), row)) };
        for (i, scores) in scores.chunks_exact_mut(band.row).enumerate().take(band.count) {
            let from = i * row + place(n, band.keys.start, band.first + i) - columns.start;
            add(level, &self.scores[from..][..band.keys.len()], scores);
        }
    }

    /// Makes rows by distance, from the band's first on, of a gradient's rows by key. Returns the length of a row.
    fn spread(&mut self, head: &Head<'_>, band: &Band, gradient: &[f32]) -> usize {
        let places = places(head.n, band);
        let row = places.len();
        for (i, gradient) in gradient.chunks_exact(band.row).enumerate().take(band.count) {
            let from = place(head.n, band.keys.start, band.first + i) - places.start;
            let (before, rest) = self.scores[i * row..][..row].split_at_mut(from);
            let (own, behind) = rest.split_at_mut(band.keys.len());
            before.fill(0.0);
            own.copy_from_slice(&gradient[..band.keys.len()]);
            behind.fill(0.0);
        }
        row
    }
}

impl Queries<'_> {
    /// The distances of a band and a panel of keys.
    fn places(head: &Head<'_>, band: &Band, panel: &Range<usize>) -> Range<usize> {
        place(head.n, panel.start, band.first + band.count - 1)..place(head.n, panel.end - 1, band.first) + 1
    }

    fn add(&mut self, head: &Head<'_>, band: &Band, keys: Panels<'_>, scores: &mut [f32]) {
        let (d, level) = (head.d, head.level);
        for panel in panels(band) {
            let places = Queries::places(head, band, &panel);
            let a = Left { values: &self.vectors[places.start * d..], row: d, step: 1 };
            let (b, c) = (keys.of_columns(panel.clone()), (self.block.as_mut_ptr(), WIDEST));
            // SAFETY: scratch of this task.
            unsafe { product(level, places.len(), a, b, 0..d, Store::Set, c) };
            let scores = &mut scores[panel.start - band.keys.start..];
            add_diagonals(level, self.block, panel.len(), band.count, band.row, scores);
        }
    }

    /// Makes a block by distance and key of a gradient's columns of these keys. Returns its distances.
    fn spread(&mut self, head: &Head<'_>, band: &Band, gradient: &[f32], panel: &Range<usize>) -> Range<usize> {
        let gradient = &gradient[panel.start - band.keys.start..];
        set_diagonals(head.level, gradient, panel.len(), band.count, band.row, self.block);
        Queries::places(head, band, panel)
    }
}
