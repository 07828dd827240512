//! The inner kernel of matrix products and convolutions.
//!
//! One tile is `C[m, n] = Σ A[m, k] · B[k, n]` for up to [`TileShape::rows`] rows and [`TileShape::columns`] columns, held in
//! registers over the whole sum. A is never packed: each row is an offset of its own, and the sum runs over segments that
//! are contiguous (or evenly strided) in A. So a convolution reads its image directly: a row is an output pixel, a segment
//! is one row of the filter's taps. B is packed into panels, `columns` wide, by [`super::pack`].
//!
//! Every value of C is one chain of multiply-adds in the order of k, whatever the tiling, so the bits do not depend on it.
//!
//! The tile is 14×32 on AVX-512: 28 accumulators, one load of A feeding two multiply-adds, so that the multiply-add units
//! are the limit. AVX2 has 6×16, the baseline 4×8.

use super::vector::{Vector, vectorized};
use crate::dispatch::Level;

/// Rows and columns of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TileShape {
    pub rows: usize,
    pub columns: usize,
}

/// The largest tile of any level.
pub(crate) const MAX_ROWS: usize = 14;

impl TileShape {
    pub fn of(level: Level) -> TileShape {
        match level {
            Level::Avx512 => TileShape { rows: 14, columns: 32 },
            Level::Avx2 => TileShape { rows: 6, columns: 16 },
            Level::Baseline => TileShape { rows: 4, columns: 8 },
        }
    }
}

/// A part of the sum: `len` steps from these offsets into A and B.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Segment {
    pub a: usize,
    pub b: usize,
    pub len: usize,
}

/// What happens to the tile of C.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Store<'a> {
    /// C becomes the sum.
    Set,
    /// C becomes the sum plus a value for each column.
    Bias(&'a [f32]),
    /// The sum is added to C.
    Add,
}

/// One tile.
pub(crate) struct Tile<'a> {
    /// A; row `m` at step `k` of a segment is `a[rows[m] + segment.a + k * a_step]`.
    pub a: &'a [f32],
    /// Offset of each row in A; at most [`TileShape::rows`].
    pub rows: &'a [usize],
    /// Distance in A between steps.
    pub a_step: usize,
    /// B; step `k` of a segment starts at `b[segment.b + k * b_step]` and is [`TileShape::columns`] wide.
    pub b: &'a [f32],
    /// Distance in B between steps.
    pub b_step: usize,
    /// The sum.
    pub segments: &'a [Segment],
    /// Columns that are stored; at most [`TileShape::columns`].
    pub columns: usize,
    /// What happens to C.
    pub store: Store<'a>,
}

/// Computes a tile. Row `m` of C starts at `c + c_rows[m]`.
///
/// # Safety
/// `c + c_rows[m]` is valid for `tile.columns` values for each row, and nobody else accesses them meanwhile.
#[inline]
pub(crate) unsafe fn compute(level: Level, tile: &Tile<'_>, c: *mut f32, c_rows: &[usize]) {
    let shape = TileShape::of(level);
    let count = tile.rows.len();
    assert!(count <= shape.rows && c_rows.len() >= count && tile.columns <= shape.columns, "a tile fits its registers");
    let last_row = tile.rows.iter().copied().max().unwrap_or(0);
    for segment in tile.segments.iter().filter(|s| s.len > 0) {
        let last = segment.len - 1;
        assert!(last_row + segment.a + last * tile.a_step < tile.a.len(), "a segment lies inside of A");
        assert!(segment.b + last * tile.b_step + shape.columns <= tile.b.len(), "a segment lies inside of B");
    }
    if let Store::Bias(bias) = tile.store {
        assert!(bias.len() >= tile.columns, "there is a bias for each column");
    }
    // SAFETY: the assertions above are what it asks for.
    unsafe { compute_on(level, tile, c, c_rows) }
}

/// Does `body` for each row, written out: a loop would keep the sums in memory instead of registers.
macro_rules! each_row {
    ($m:ident < $rows:ident => $body:block) => {
        each_row!([0 1 2 3 4 5 6 7 8 9 10 11 12 13], $m < $rows => $body)
    };
    ([$($index:literal)*], $m:ident < $rows:ident => $body:block) => {$(
        if $index < $rows {
            let $m: usize = $index;
            $body
        }
    )*};
}

/// A tile of exactly `ROWS` rows and `VECTORS` registers a row.
///
/// # Safety
/// As [`compute`], whose assertions hold; the features of `V` are enabled.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(tile: &Tile<'_>, c: *mut f32, c_rows: &[usize]) {
    // SAFETY: all accesses to A and B lie inside by the assertions of `compute`, those to C by its caller's promise.
    unsafe {
        let mut sums = [[V::splat(0.0); VECTORS]; ROWS];
        let mut rows = [tile.a.as_ptr(); ROWS];
        for m in 0..ROWS {
            rows[m] = rows[m].add(*tile.rows.get_unchecked(m));
        }
        for segment in tile.segments {
            let mut b = tile.b.as_ptr().add(segment.b);
            let mut at = segment.a;
            for _ in 0..segment.len {
                let mut columns = [V::splat(0.0); VECTORS];
                for v in 0..VECTORS {
                    columns[v] = V::load(b.add(v * V::LANES));
                }
                for m in 0..ROWS {
                    let value = V::splat(*rows[m].add(at));
                    for v in 0..VECTORS {
                        sums[m][v] = sums[m][v].multiply_add(value, columns[v]);
                    }
                }
                at += tile.a_step;
                b = b.add(tile.b_step);
            }
        }
        // The last register of a row may be used in part.
        let used = |v: usize| if v + 1 == VECTORS { tile.columns - v * V::LANES } else { V::LANES };
        let mut added = [V::splat(0.0); VECTORS];
        if let Store::Bias(bias) = tile.store {
            for v in 0..VECTORS {
                added[v] = V::load_first(bias.as_ptr().add(v * V::LANES), used(v));
            }
        }
        let adds_to_c = matches!(tile.store, Store::Add);
        each_row!(m < ROWS => {
            let c = c.add(*c_rows.get_unchecked(m));
            for v in 0..VECTORS {
                let c = c.add(v * V::LANES);
                let other = if adds_to_c { V::load_first(c, used(v)) } else { added[v] };
                sums[m][v].add(other).store_first(c, used(v));
            }
        });
    }
}

/// Chooses the number of rows and registers at run time. Few columns go to the half register: processors that compute a
/// whole one in two parts take half the time for it.
macro_rules! choose {
    ($tile:ident, $c:ident, $c_rows:ident, $vector:ty, [$($rows:literal)*]) => {
        match $tile.rows.len() {
            $($rows if $tile.columns <= <$vector as Vector>::Half::LANES => {
                self::tile::<<$vector as Vector>::Half, $rows, 1>($tile, $c, $c_rows);
            }
            $rows if $tile.columns <= <$vector>::LANES => self::tile::<$vector, $rows, 1>($tile, $c, $c_rows),
            $rows => self::tile::<$vector, $rows, 2>($tile, $c, $c_rows),)*
            _ => {}
        }
    };
}

vectorized! {
    /// A tile by its number of rows and registers.
    ///
    /// # Safety
    /// The assertions of [`compute`] hold.
    unsafe fn compute_on[V](tile: &Tile<'_>, c: *mut f32, c_rows: &[usize]) {
        // SAFETY: by the caller's promise.
        unsafe {
            match V::LANES {
                16 => choose!(tile, c, c_rows, V, [1 2 3 4 5 6 7 8 9 10 11 12 13 14]),
                8 => choose!(tile, c, c_rows, V, [1 2 3 4 5 6]),
                _ => choose!(tile, c, c_rows, V, [1 2 3 4]),
            }
        }
    }
}
