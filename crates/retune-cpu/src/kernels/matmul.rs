//! Matrix products and linear layers over the tiles of [`super::gemm`].

use std::ops::Range;

use retune_graph::Op;
use retune_graph::ops::{Linear, MatMul, Precision};

use super::gemm::{self, MAX_ROWS, Segment, Store, Tile, TileShape};
use super::pack::{pack_panel, pack_panels};
use super::{Call, activation, bf16};
use crate::cpu::{Cpu, Parts};
use crate::dispatch::Level;

/// Steps of the sum that are done at a time, so that what a tile reads of A stays in the first cache.
const K_BLOCK: usize = 512;

/// Tiles whose part of A is packed at once where the sum runs across its rows.
const TILES_AT_ONCE: usize = 8;

/// Panels of B that are packed at once where its rows are contiguous.
const PANELS_AT_ONCE: usize = 4;

/// Values of B that a task passes all its rows over, so that they stay in the second cache of its core.
const B_BLOCK: usize = 1 << 17;

/// Tasks for each thread, roughly: enough that none waits long for another.
const TASKS_PER_THREAD: usize = 8;

/// Steps of each part of a sum of `k` steps, of which none is much shorter than another. They depend on nothing else, so that the bits of a
/// product do not either.
pub(super) fn steps_at_once(k: usize, most: usize) -> usize {
    k.div_ceil(k.div_ceil(most).max(1)).max(1)
}

/// How C is divided between tasks. Those that follow each other use the same columns of B.
pub(super) struct Grid {
    m: usize,
    panels: usize,
    rows_per_task: usize,
    panels_per_task: usize,
}

impl Grid {
    /// For `m` rows in tiles of `rows`, and `panels` of which each has `panel_len` values of B in a part of the sum;
    /// `block_len` values of B are to stay in a core's cache.
    pub fn of(cpu: &Cpu, (m, rows): (usize, usize), (panels, panel_len): (usize, usize), block_len: usize) -> Grid {
        let (tiles, tasks) = (m.div_ceil(rows).max(1), TASKS_PER_THREAD * cpu.threads());
        let most_panels = (block_len / panel_len.max(1)).max(1);
        let column_tasks = panels.div_ceil(most_panels).max(tasks.div_ceil(tiles)).min(panels).max(1);
        let tiles_per_task = tiles.div_ceil(tasks.div_ceil(column_tasks));
        Grid { m, panels, rows_per_task: tiles_per_task * rows, panels_per_task: panels.div_ceil(column_tasks).max(1) }
    }

    /// Calls `task(thread, rows, panels)` for each task, in parallel.
    pub fn run(&self, cpu: &Cpu, task: impl Fn(usize, Range<usize>, Range<usize>) + Sync) {
        let row_tasks = self.m.div_ceil(self.rows_per_task);
        cpu.run_on_threads(row_tasks * self.panels.div_ceil(self.panels_per_task), |thread, index| {
            let (row, panel) = (index % row_tasks * self.rows_per_task, index / row_tasks * self.panels_per_task);
            let rows = row..self.m.min(row + self.rows_per_task);
            task(thread, rows, panel..self.panels.min(panel + self.panels_per_task));
        });
    }
}

/// How a matrix product reads its factors: `C[m, n] = Σ A(m, k) B(k, n)`.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// Distances in A between rows and between steps.
    pub(super) a: (usize, usize),
    /// Distances in B between steps and between columns.
    pub(super) b: (usize, usize),
}

impl Product {
    fn of(op: &MatMul, a: &[usize], output: &[usize]) -> Product {
        let rank = output.len();
        let (m, n) = (output[rank - 2], output[rank - 1]);
        let k = if op.transpose_a { a[rank - 2] } else { a[rank - 1] };
        Product {
            m,
            n,
            k,
            a: if op.transpose_a { (1, m) } else { (k, 1) },
            b: if op.transpose_b { (1, k) } else { (n, 1) },
        }
    }

    /// `w` is the weight's shape.
    fn of_linear(w: &[usize], output: &[usize]) -> Product {
        let (k, n) = (w[0], w[1]);
        Product { m: output.iter().product::<usize>() / n.max(1), n, k, a: (k, 1), b: (n, 1) }
    }

    fn scratch_len_at(&self, precision: Precision, cpu: &Cpu) -> usize {
        match precision {
            Precision::Bf16 if cpu.multiplies_bf16() => bf16::scratch_len(cpu, self),
            // The widest panels of any level, so that the plan does not depend on it.
            _ if self.is_across() => self.across_scratch_len(),
            _ => self.k * self.n.next_multiple_of(32),
        }
    }

    /// Whether the sum runs across the rows of A, as in the gradient of a weight.
    pub(super) fn is_across(&self) -> bool {
        self.a.1 != 1
    }

    /// Runs the product on all threads with factors of this precision.
    fn run_at(
        &self,
        precision: Precision,
        cpu: &Cpu,
        a: &[f32],
        b: &[f32],
        c: &mut [f32],
        scratch: &mut [f32],
        extras: Extras<'_>,
    ) {
        if let (Precision::Bf16, Some(unit)) = (precision, cpu.bf16()) {
            let level = cpu.level();
            let finish = |row: &mut [f32]| {
                if let Some(activation) = extras.activation {
                    activation::apply(level, activation, row);
                }
            };
            let extras = bf16::Extras { right: extras.right, bias: extras.bias, finish };
            return bf16::run((cpu, unit), self, [a, b], c, scratch, extras);
        }
        self.run(cpu, a, b, c, scratch, extras);
    }

    /// Scratch values of [`Product::run_across`]: a part of both factors.
    pub(super) fn across_scratch_len(&self) -> usize {
        steps_at_once(self.k, K_BLOCK) * (self.n.next_multiple_of(32) + self.m + MAX_ROWS)
    }

    /// Runs a product whose sum runs across the rows of A: it is long, and C, to which the product is added if `adds`, is small. Part of
    /// the sum by part, all threads pack both factors, of which the values of a row of A lie far apart, and then share the tiles.
    pub(super) fn run_across(&self, cpu: &Cpu, a: &[f32], b: &[f32], c: &mut [f32], adds: bool, scratch: &mut [f32]) {
        let Product { m, n, k, .. } = *self;
        if k == 0 && !adds {
            return c.fill(0.0);
        }
        let level = cpu.level();
        let TileShape { rows, columns } = TileShape::of(level);
        let (tiles, panels) = (m.div_ceil(rows), n.div_ceil(columns));
        let most_steps = steps_at_once(k, K_BLOCK);
        let grid = Grid::of(cpu, (m, rows), (panels, most_steps * columns), B_BLOCK);
        let (right, left) = scratch.split_at_mut(most_steps * panels * columns);
        let parts = Parts::new(c);
        for k0 in (0..k).step_by(most_steps) {
            let steps = most_steps.min(k - k0);
            self.pack_steps(cpu, &b[k0 * self.b.0..], steps, &mut right[..steps * panels * columns]);
            cpu.for_chunks(&mut left[..tiles * rows * steps], TILES_AT_ONCE * rows * steps, |index, left| {
                let first = index * TILES_AT_ONCE * rows;
                let range = first..m.min(first + TILES_AT_ONCE * rows);
                pack_panels(level, &a[k0 * self.a.1..], self.a.1, steps, range, rows, left);
            });
            let (right, left) = (&*right, &*left);
            let store = if k0 == 0 && !adds { Store::Set } else { Store::Add };
            grid.run(cpu, |_, task_rows, task_panels| {
                for m0 in task_rows.clone().step_by(rows) {
                    let count = rows.min(task_rows.end - m0);
                    let values = &left[m0 * steps..][..rows * steps];
                    let left = Left { values, rows: std::array::from_fn(|row| row), step: rows };
                    for panel in task_panels.clone() {
                        let values = &right[panel * steps * columns..][..steps * columns];
                        // SAFETY: these rows and columns of C belong to this task alone.
                        unsafe { self.tile(level, &left, (m0, count), (panel, values), store, parts) };
                    }
                }
            });
        }
    }

    /// One tile: `count` rows of C from `m0`, and the columns of a panel.
    ///
    /// # Safety
    /// Nobody else uses this part of C meanwhile.
    #[inline]
    unsafe fn tile(
        &self,
        level: Level,
        left: &Left<'_>,
        (m0, count): (usize, usize),
        (panel, values): (usize, &[f32]),
        store: Store<'_>,
        c: Parts<'_>,
    ) {
        let columns = TileShape::of(level).columns;
        let n0 = panel * columns;
        let tile = Tile {
            a: left.values,
            rows: &left.rows[..count],
            a_step: left.step,
            b: values,
            b_step: columns,
            segments: &[Segment { a: 0, b: 0, len: values.len() / columns }],
            columns: columns.min(self.n - n0),
            store,
        };
        let c_rows: [usize; MAX_ROWS] = std::array::from_fn(|row| row * self.n);
        // SAFETY: the tile lies inside of C, and is this call's alone by the caller's promise.
        unsafe { gemm::compute(level, &tile, c.at(m0 * self.n + n0), &c_rows[..count]) };
    }

    /// Packs the right factor into panels.
    fn pack(&self, cpu: &Cpu, b: &[f32], packed: &mut [f32]) {
        let columns = TileShape::of(cpu.level()).columns;
        self.pack_steps(cpu, b, self.k, &mut packed[..self.n.div_ceil(columns) * self.k * columns]);
    }

    /// Packs the first `steps` steps of a right factor into panels.
    fn pack_steps(&self, cpu: &Cpu, b: &[f32], steps: usize, packed: &mut [f32]) {
        let (level, n, panel_len) = (cpu.level(), self.n, steps * TileShape::of(cpu.level()).columns);
        if panel_len == 0 {
            return;
        }
        let columns = panel_len / steps;
        if self.b.1 == 1 {
            cpu.for_chunks(packed, PANELS_AT_ONCE * panel_len, |index, packed| {
                let start = index * PANELS_AT_ONCE * columns;
                let range = start..n.min(start + PANELS_AT_ONCE * columns);
                pack_panels(level, b, self.b.0, steps, range, columns, packed);
            });
        } else {
            cpu.for_chunks(packed, panel_len, |panel, packed| {
                pack_panel(level, b, self.b, steps, panel * columns, n, packed);
            });
        }
    }

    /// Runs the product on all threads. `packed` holds what [`Product::scratch_len_at`] asks for.
    fn run(&self, cpu: &Cpu, a: &[f32], b: &[f32], c: &mut [f32], packed: &mut [f32], extras: Extras<'_>) {
        let Product { m, n, k, .. } = *self;
        if m == 0 || n == 0 {
            return;
        }
        if self.is_across() {
            debug_assert!(extras.bias.is_none() && extras.activation.is_none(), "only linear layers have these");
            return self.run_across(cpu, a, b, c, false, packed);
        }
        let level = cpu.level();
        let TileShape { rows, columns } = TileShape::of(level);
        let panel_len = k * columns;
        let packed = match extras.right {
            Some(packed) => packed,
            None => {
                self.pack(cpu, b, packed);
                &*packed
            }
        };

        let most_steps = steps_at_once(k, K_BLOCK);
        let grid = Grid::of(cpu, (m, rows), (n.div_ceil(columns), most_steps * columns), B_BLOCK);
        let parts = Parts::new(c);
        grid.run(cpu, |_, task_rows, panels| {
            for k0 in (0..k.max(1)).step_by(most_steps) {
                let steps = most_steps.min(k - k0);
                for m0 in task_rows.clone().step_by(rows) {
                    let count = rows.min(task_rows.end - m0);
                    let left = Left { values: &a[m0 * k + k0..], rows: std::array::from_fn(|row| row * k), step: 1 };
                    for panel in panels.clone() {
                        let store = match extras.bias {
                            _ if k0 > 0 => Store::Add,
                            Some(bias) => Store::Bias(&bias[panel * columns..n.min((panel + 1) * columns)]),
                            None => Store::Set,
                        };
                        let values = &packed[panel * panel_len + k0 * columns..][..steps * columns];
                        // SAFETY: these rows and columns of C belong to this task alone.
                        unsafe { self.tile(level, &left, (m0, count), (panel, values), store, parts) };
                    }
                    if let Some(activation) = extras.activation.filter(|_| k0 + steps == k) {
                        let (n0, n1) = (panels.start * columns, n.min(panels.end * columns));
                        for row in m0..m0 + count {
                            // SAFETY: as above.
                            let values = unsafe { parts.slice(row * n + n0, n1 - n0) };
                            activation::apply(level, activation, values);
                        }
                    }
                }
            }
        });
    }
}

/// The rows of a tile in A: row `m` at step `k` is `values[rows[m] + k * step]`.
struct Left<'a> {
    values: &'a [f32],
    rows: [usize; MAX_ROWS],
    step: usize,
}

/// What there is beside the factors.
#[derive(Clone, Copy, Default)]
struct Extras<'a> {
    /// The right factor as [`pack`] makes it, if that was done before the first step.
    right: Option<&'a [f32]>,
    /// What is done to values of C while they are in cache.
    bias: Option<&'a [f32]>,
    activation: Option<retune_graph::ops::Activation>,
}

pub(crate) fn scratch_len(op: &MatMul, inputs: &[&[usize]], output: &[usize], cpu: &Cpu) -> usize {
    Product::of(op, inputs[0], output).scratch_len_at(op.precision, cpu)
}

pub(crate) fn linear_scratch_len(op: &Linear, inputs: &[&[usize]], output: &[usize], cpu: &Cpu) -> usize {
    Product::of_linear(inputs[1], output).scratch_len_at(op.precision, cpu)
}

pub(crate) fn matmul(op: &MatMul, mut call: Call<'_>) {
    let product = Product::of(op, call.input_shape(0), call.shape);
    let Product { m, n, k, .. } = product;
    let (a, b, packed) = (call.input(0), call.input(1), call.scratch());
    let c = call.output();
    // Products of a batch follow each other; each is divided between the threads.
    for (i, c) in c.chunks_exact_mut((m * n).max(1)).enumerate() {
        let (a, b) = (&a[i * m * k..(i + 1) * m * k], &b[i * k * n..(i + 1) * k * n]);
        product.run_at(op.precision, call.cpu, a, b, c, packed, Extras { right: call.packed, ..Extras::default() });
    }
}

pub(crate) fn linear(op: &Linear, mut call: Call<'_>) {
    let product = Product::of_linear(call.input_shape(1), call.shape);
    let c = call.output();
    let bias = (call.input_count() == 3).then(|| call.input(2));
    let extras = Extras { right: call.packed, bias, activation: op.activation };
    product.run_at(op.precision, call.cpu, call.input(0), call.input(1), c, call.scratch(), extras);
}

/// The product of an operation, and the precision of its factors; `None` for other operations and for products of a batch.
fn single_product(op: &Op, inputs: &[&[usize]], output: &[usize]) -> Option<(Product, Precision)> {
    match op {
        Op::Linear(op) => Some((Product::of_linear(inputs[1], output), op.precision)),
        Op::MatMul(op) if output.len() == 2 => Some((Product::of(op, inputs[0], output), op.precision)),
        _ => None,
    }
}

/// Values that hold the right factor of a product as it is used, where that may be made before the first step if the factor never
/// changes. Those of bfloat16 take half the room of the factor itself and are always made; those of 32 bits take as much as it, and are made
/// if `packs_f32`.
pub(crate) fn packed_len(op: &Op, inputs: &[&[usize]], output: &[usize], cpu: &Cpu, packs_f32: bool) -> usize {
    match single_product(op, inputs, output) {
        Some((product, _)) if product.is_across() => 0,
        Some((product, Precision::Bf16)) if cpu.multiplies_bf16() => bf16::right_len(product.n, product.k),
        Some((product, _)) if packs_f32 => product.scratch_len_at(Precision::F32, cpu),
        _ => 0,
    }
}

/// Makes the values of [`packed_len`] from the right factor, the call's only input. `left` is the left factor's shape, `output` the
/// product's.
pub(crate) fn pack(op: &Op, left: &[usize], output: &[usize], mut call: Call<'_>) {
    let (product, precision) =
        single_product(op, &[left, call.input_shape(0)], output).expect("`packed_len` asked for it");
    let (cpu, factor, packed) = (call.cpu, call.input(0), call.output());
    if precision == Precision::Bf16 && cpu.multiplies_bf16() {
        bf16::round_right(cpu, &product, factor, 0..product.k, packed);
    } else {
        product.pack(cpu, factor, packed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_across_rows_is_added_where_that_is_asked() {
        let (cpu, product) = (Cpu::new(2), Product { m: 5, n: 3, k: 700, a: (1, 5), b: (3, 1) });
        let [a, b] = [5 * 700, 700 * 3].map(|len| (0..len).map(|i| (i % 7) as f32 - 3.0).collect::<Vec<_>>());
        let mut scratch = vec![f32::NAN; product.across_scratch_len()];
        let (mut once, mut twice) = (vec![f32::NAN; 15], vec![0.0; 15]);
        product.run_across(&cpu, &a, &b, &mut once, false, &mut scratch);
        for _ in 0..2 {
            product.run_across(&cpu, &a, &b, &mut twice, true, &mut scratch);
        }
        assert_eq!(twice, once.iter().map(|sum| 2.0 * sum).collect::<Vec<_>>());
    }
}
