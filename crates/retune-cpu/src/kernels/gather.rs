//! Rows of a table by index, and the sum of their gradients.

use crate::error::CpuError;
use crate::kernels::{CHUNK, Call};
use crate::multiversion;

/// Most tasks that a table is cut into; each looks at all indices.
const MOST_TASKS: usize = 16;

multiversion! {
    /// `y += x`.
    fn add(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

/// The indices of input `index`, all inside of a table of `rows` rows.
fn checked_ids<'a>(call: &Call<'a>, index: usize, rows: usize) -> Result<&'a [i32], CpuError> {
    let ids = call.ids(index);
    match ids.iter().find(|&&id| usize::try_from(id).map_or(true, |id| id >= rows)) {
        Some(&id) => Err(call.index_out_of_range(id, rows)),
        None => Ok(ids),
    }
}

pub(crate) fn gather(mut call: Call<'_>) -> Result<(), CpuError> {
    let &[rows, width] = call.input_shape(0) else { unreachable!("a table has two axes") };
    let ids = checked_ids(&call, 1, rows)?;
    let table = call.input(0);
    if width == 0 {
        return Ok(());
    }
    let rows_per_task = (CHUNK / width).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * width, |task, output| {
        for (y, &id) in output.chunks_exact_mut(width).zip(&ids[task * rows_per_task..]) {
            y.copy_from_slice(&table[id as usize * width..][..width]);
        }
    });
    Ok(())
}

pub(crate) fn scatter_add(mut call: Call<'_>) -> Result<(), CpuError> {
    let &[rows, width] = call.shape else { unreachable!("a table has two axes") };
    let ids = checked_ids(&call, 0, rows)?;
    let (dy, level) = (call.input(1), call.cpu.level());
    if width == 0 {
        return Ok(());
    }
    // Each task owns some of the table's rows, so that all sums run in the order of the indices.
    let rows_per_task = rows.div_ceil(MOST_TASKS).max(CHUNK / width).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * width, |task, table| {
        table.fill(0.0);
        let first = task * rows_per_task;
        let own = first..first + table.len() / width;
        for (dy, &id) in dy.chunks_exact(width).zip(ids) {
            if own.contains(&(id as usize)) {
                add(level, dy, &mut table[(id as usize - first) * width..][..width]);
            }
        }
    });
    Ok(())
}
