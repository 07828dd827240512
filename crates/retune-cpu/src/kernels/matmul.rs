//! Matrix products and linear layers over the tiles of [`super::gemm`].

use retune_graph::ops::{Linear, MatMul};

use super::gemm::{self, MAX_ROWS, Segment, Store, Tile, TileShape};
use super::{Call, activation};
use crate::cpu::{Cpu, Parts};

/// Rows of C that make a task, in tiles.
const TILES_PER_TASK: usize = 4;

/// Steps of the sum that are done at a time where A is read across its rows, so that A and B stay in cache.
const K_BLOCK: usize = 256;

/// How a matrix product reads its factors: `C[m, n] = Σ A(m, k) B(k, n)`.
#[derive(Clone, Copy)]
struct Product {
    m: usize,
    n: usize,
    k: usize,
    /// Distances in A between rows and between steps.
    a: (usize, usize),
    /// Distances in B between steps and between columns.
    b: (usize, usize),
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

    fn scratch_len(&self) -> usize {
        // The widest panels of any level, so that the plan does not depend on it.
        self.k * self.n.next_multiple_of(32)
    }

    /// Runs the product on all threads. `packed` holds [`Product::scratch_len`] values.
    fn run(&self, cpu: &Cpu, a: &[f32], b: &[f32], c: &mut [f32], packed: &mut [f32], epilogue: Epilogue<'_>) {
        let Product { m, n, k, .. } = *self;
        if m == 0 || n == 0 {
            return;
        }
        let level = cpu.level();
        let TileShape { rows, columns } = TileShape::of(level);
        let panel_len = k * columns;
        let panels = n.div_ceil(columns);
        let packed = &mut packed[..panels * panel_len];
        if panel_len > 0 {
            cpu.for_chunks(packed, panel_len, |panel, packed| {
                gemm::pack_panel(b, self.b, k, panel * columns, n, packed);
            });
        }
        let packed = &*packed;

        // Few rows leave few row tasks; then columns are divided too.
        let task_rows = rows * TILES_PER_TASK;
        let row_tasks = m.div_ceil(task_rows);
        let panels_per_task = if row_tasks >= 8 { panels } else { panels.div_ceil(8usize.div_ceil(row_tasks)).max(1) };
        let column_tasks = panels.div_ceil(panels_per_task);
        // Where A is contiguous along the sum, one pass keeps C in registers from first to last step.
        let k_block = if self.a.1 == 1 { k.max(1) } else { K_BLOCK };
        let parts = Parts::new(c);
        cpu.run(row_tasks * column_tasks, |task| {
            let (row_task, column_task) = (task / column_tasks, task % column_tasks);
            let m_range = row_task * task_rows..m.min((row_task + 1) * task_rows);
            let panel_range = column_task * panels_per_task..panels.min((column_task + 1) * panels_per_task);
            for k0 in (0..k.max(1)).step_by(k_block) {
                let steps = k_block.min(k - k0);
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
                        let store = match epilogue.bias {
                            _ if k0 > 0 => Store::Add,
                            Some(bias) => Store::Bias(&bias[n0..n0 + used]),
                            None => Store::Set,
                        };
                        let tile = Tile {
                            a,
                            rows: &a_rows[..count],
                            a_step: self.a.1,
                            b: packed,
                            b_step: columns,
                            segments: &[Segment { a: k0 * self.a.1, b: panel * panel_len + k0 * columns, len: steps }],
                            columns: used,
                            store,
                        };
                        // SAFETY: the tile's rows and columns lie inside of C and belong to this task alone.
                        unsafe { gemm::compute(level, &tile, parts.at(n0), &c_rows[..count]) };
                    }
                }
            }
            if let Some(activation) = epilogue.activation {
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

/// What happens to values of C while they are in cache.
#[derive(Clone, Copy, Default)]
struct Epilogue<'a> {
    bias: Option<&'a [f32]>,
    activation: Option<retune_graph::ops::Activation>,
}

pub(crate) fn scratch_len(op: &MatMul, inputs: &[&[usize]], output: &[usize]) -> usize {
    Product::of(op, inputs[0], output).scratch_len()
}

pub(crate) fn linear_scratch_len(inputs: &[&[usize]], _output: &[usize]) -> usize {
    inputs[1][0] * inputs[1][1].next_multiple_of(32)
}

pub(crate) fn matmul(op: &MatMul, mut call: Call<'_>) {
    let product = Product::of(op, call.input_shape(0), call.shape);
    let Product { m, n, k, .. } = product;
    let (a, b, packed) = (call.input(0), call.input(1), call.scratch());
    let c = call.output();
    // Products of a batch follow each other; each is divided between the threads.
    for (i, c) in c.chunks_exact_mut((m * n).max(1)).enumerate() {
        product.run(call.cpu, &a[i * m * k..], &b[i * k * n..(i + 1) * k * n], c, packed, Epilogue::default());
    }
}

pub(crate) fn linear(op: &Linear, mut call: Call<'_>) {
    let (k, n) = (call.input_shape(1)[0], call.input_shape(1)[1]);
    let c = call.output();
    let product = Product { m: c.len() / n.max(1), n, k, a: (k, 1), b: (n, 1) };
    let bias = (call.input_count() == 3).then(|| call.input(2));
    let epilogue = Epilogue { bias, activation: op.activation };
    product.run(call.cpu, call.input(0), call.input(1), c, call.scratch(), epilogue);
}
