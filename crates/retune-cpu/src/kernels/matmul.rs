//! Matrix products and linear layers over the tiles of [`super::gemm`].

use std::ops::Range;

use retune_graph::Op;
use retune_graph::ops::{Linear, MatMul, Precision};

use super::gemm::{self, MAX_ROWS, Segment, Store, Tile, TileShape};
use super::pack::pack_panel;
use super::{Call, activation, bf16};
use crate::cpu::{Cpu, Parts};

/// Rows of C that make a task, in tiles.
const TILES_PER_TASK: usize = 2;

/// Steps of the sum that are done at a time where A is read across its rows, so that its part and that of B stay in cache.
const K_BLOCK: usize = 256;

/// Tasks of such a product, roughly.
const ACROSS_TASKS: usize = 8;

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
            Precision::Bf16 if cpu.multiplies_bf16() => bf16::scratch_len(self.m, self.n, self.k),
            // The widest panels of any level, so that the plan does not depend on it.
            _ if self.is_across() => cpu.threads() * K_BLOCK.min(self.k) * self.n.next_multiple_of(32),
            _ => self.k * self.n.next_multiple_of(32),
        }
    }

    /// Whether the sum runs across the rows of A, as in the gradient of a weight.
    fn is_across(&self) -> bool {
        self.a.1 != 1
    }

    /// Divides C between tasks and calls `task(rows, panels of columns, C)` for each, in parallel. Tiles have `rows` rows, panels
    /// `columns` columns.
    pub(super) fn for_each_task(
        &self,
        cpu: &Cpu,
        rows: usize,
        columns: usize,
        c: &mut [f32],
        task: impl Fn(Range<usize>, Range<usize>, Parts<'_>) + Sync,
    ) {
        let panels = self.n.div_ceil(columns);
        // Few rows leave few row tasks; then columns are divided too.
        let task_rows = rows * TILES_PER_TASK;
        let row_tasks = self.m.div_ceil(task_rows);
        let panels_per_task = if row_tasks >= 8 { panels } else { panels.div_ceil(8usize.div_ceil(row_tasks)).max(1) };
        let column_tasks = panels.div_ceil(panels_per_task);
        let parts = Parts::new(c);
        cpu.run(row_tasks * column_tasks, |index| {
            let (row_task, column_task) = (index / column_tasks, index % column_tasks);
            let rows = row_task * task_rows..self.m.min((row_task + 1) * task_rows);
            task(rows, column_task * panels_per_task..panels.min((column_task + 1) * panels_per_task), parts);
        });
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
        if precision == Precision::Bf16 && cpu.multiplies_bf16() {
            let level = cpu.level();
            return bf16::run(cpu, self, a, (b, extras.right), extras.bias, c, scratch, |row| {
                if let Some(activation) = extras.activation {
                    activation::apply(level, activation, row);
                }
            });
        }
        self.run(cpu, a, b, c, scratch, extras);
    }

    /// Runs a product whose sum runs across the rows of A: it is long, and C is small. Tasks take columns of C, and rows where there
    /// are few columns; each copies the part of B that it is at, so that both factors are read once from memory.
    fn run_across(&self, cpu: &Cpu, a: &[f32], b: &[f32], c: &mut [f32], scratch: &mut [f32]) {
        let Product { m, n, k, .. } = *self;
        let level = cpu.level();
        let TileShape { rows, columns } = TileShape::of(level);
        if k == 0 {
            return c.fill(0.0);
        }
        let panels = n.div_ceil(columns);
        let panels_per_task = panels.div_ceil(ACROSS_TASKS).max(1);
        let column_tasks = panels.div_ceil(panels_per_task);
        let tiles_per_task = m.div_ceil(rows).div_ceil(ACROSS_TASKS.div_ceil(column_tasks)).max(1);
        let row_tasks = m.div_ceil(tiles_per_task * rows);
        let panel_len = K_BLOCK.min(k) * columns;
        let (parts, scratch) = (Parts::new(c), Parts::new(scratch));
        cpu.run_on_threads(column_tasks * row_tasks, |thread, task| {
            let (row_task, column_task) = (task / column_tasks, task % column_tasks);
            let panels = column_task * panels_per_task..panels.min((column_task + 1) * panels_per_task);
            let m_range = row_task * tiles_per_task * rows..m.min((row_task + 1) * tiles_per_task * rows);
            // SAFETY: each thread has its own part.
            let packed = unsafe { scratch.slice(thread * panels_per_task * panel_len, panels.len() * panel_len) };
            for k0 in (0..k).step_by(K_BLOCK) {
                let steps = K_BLOCK.min(k - k0);
                for (packed, panel) in packed.chunks_exact_mut(panel_len).zip(panels.clone()) {
                    let part = &mut packed[..steps * columns];
                    pack_panel(level, &b[k0 * self.b.0..], self.b, steps, panel * columns, n, part);
                }
                for m0 in m_range.clone().step_by(rows) {
                    let count = rows.min(m_range.end - m0);
                    let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
                    for i in 0..count {
                        a_rows[i] = (m0 + i) * self.a.0;
                        c_rows[i] = (m0 + i) * n;
                    }
                    for (index, panel) in panels.clone().enumerate() {
                        let n0 = panel * columns;
                        let tile = Tile {
                            a,
                            rows: &a_rows[..count],
                            a_step: self.a.1,
                            b: packed,
                            b_step: columns,
                            segments: &[Segment { a: k0 * self.a.1, b: index * panel_len, len: steps }],
                            columns: columns.min(n - n0),
                            store: if k0 == 0 { Store::Set } else { Store::Add },
                        };
                        // SAFETY: the tile's rows and columns lie inside of C and belong to this task alone.
                        unsafe { gemm::compute(level, &tile, parts.at(n0), &c_rows[..count]) };
                    }
                }
            }
        });
    }

    /// Packs the right factor into panels.
    fn pack(&self, cpu: &Cpu, b: &[f32], packed: &mut [f32]) {
        let columns = TileShape::of(cpu.level()).columns;
        let panel_len = self.k * columns;
        if panel_len > 0 {
            cpu.for_chunks(&mut packed[..self.n.div_ceil(columns) * panel_len], panel_len, |panel, packed| {
                pack_panel(cpu.level(), b, self.b, self.k, panel * columns, self.n, packed);
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
            return self.run_across(cpu, a, b, c, packed);
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

        // A is contiguous along the sum: one pass keeps C in registers from first to last step.
        self.for_each_task(cpu, rows, columns, c, |m_range, panel_range, parts| {
            for m0 in m_range.clone().step_by(rows) {
                let count = rows.min(m_range.end - m0);
                let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
                for i in 0..count {
                    a_rows[i] = (m0 + i) * self.a.0;
                    c_rows[i] = (m0 + i) * n;
                }
                for panel in panel_range.clone() {
                    let n0 = panel * columns;
                    let used = columns.min(n - n0);
                    let tile = Tile {
                        a,
                        rows: &a_rows[..count],
                        a_step: 1,
                        b: packed,
                        b_step: columns,
                        segments: &[Segment { a: 0, b: panel * panel_len, len: k }],
                        columns: used,
                        store: extras.bias.map_or(Store::Set, |bias| Store::Bias(&bias[n0..n0 + used])),
                    };
                    // SAFETY: the tile's rows and columns lie inside of C and belong to this task alone.
                    unsafe { gemm::compute(level, &tile, parts.at(n0), &c_rows[..count]) };
                }
            }
            if let Some(activation) = extras.activation {
                let n0 = panel_range.start * columns;
                let n1 = n.min(panel_range.end * columns);
                for row in m_range {
                    // SAFETY: this part of the row belongs to this task alone.
                    let values = unsafe { parts.slice(row * n + n0, n1 - n0) };
                    activation::apply(level, activation, values);
                }
            }
        });
    }
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
        Some((product, Precision::Bf16)) if cpu.multiplies_bf16() => bf16::right_len(product.n, product.k),
        Some((product, _)) if packs_f32 && !product.is_across() => product.scratch_len_at(Precision::F32, cpu),
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
        bf16::pack_right(cpu, &product, factor, packed);
    } else {
        product.pack(cpu, factor, packed);
    }
}
