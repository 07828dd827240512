//! Sequences of tokens: where each stands, and pooling of their rows.

use retune_graph::ops::{SequencePool, SequencePoolGrad, sequence::Pooling};

use crate::cpu::Parts;
use crate::error::CpuError;
use crate::kernels::Call;
use crate::kernels::columns::fold_rows;
use crate::kernels::rows::Add;
use crate::kernels::stream::{Scale, map, map_in_place};

/// How rows of tokens fall into sequences.
#[derive(Clone, Copy)]
pub(crate) enum Sequences<'a> {
    /// Each has a length of its own; together they are all rows.
    Ragged(&'a [i32]),
    /// All have this length.
    Even(usize),
}

impl<'a> Sequences<'a> {
    /// The sequences of `rows` rows: by the lengths in input `index` if there is one, else as many as there are examples.
    pub fn new(call: &Call<'a>, index: usize, rows: usize) -> Result<Sequences<'a>, CpuError> {
        if call.input_count() <= index {
            return Ok(Sequences::Even(rows / call.batch.max(1)));
        }
        let lengths = call.ids(index);
        let found = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(usize::try_from(length).ok()?));
        match found {
            Some(found) if found == rows => Ok(Sequences::Ragged(lengths)),
            _ => Err(CpuError::WrongLengths { layer: call.layer.to_owned(), tokens: rows, lengths: lengths.to_vec() }),
        }
    }

    /// Number of sequences, for `batch` examples.
    pub fn count(self, batch: usize) -> usize {
        match self {
            Sequences::Ragged(lengths) => lengths.len(),
            Sequences::Even(_) => batch,
        }
    }

    /// First row and number of rows of sequence `index`.
    pub fn of(self, index: usize) -> (usize, usize) {
        match self {
            Sequences::Ragged(lengths) => {
                let start = lengths[..index].iter().map(|&length| length as usize).sum();
                (start, lengths[index] as usize)
            }
            Sequences::Even(length) => (index * length, length),
        }
    }

    /// The sequence that row `row` belongs to, and its place there.
    pub fn find(self, row: usize) -> (usize, usize) {
        match self {
            Sequences::Ragged(lengths) => {
                let (mut index, mut place) = (0, row);
                while place >= lengths[index] as usize {
                    place -= lengths[index] as usize;
                    index += 1;
                }
                (index, place)
            }
            Sequences::Even(length) => (row / length.max(1), row % length.max(1)),
        }
    }
}

pub(crate) fn pool(op: &SequencePool, mut call: Call<'_>) -> Result<(), CpuError> {
    let (x, width, level) = (call.input(0), call.shape[1], call.cpu.level());
    if width == 0 {
        return Ok(());
    }
    let sequences = Sequences::new(&call, 1, x.len() / width)?;
    call.cpu.for_chunks(call.output(), width, |index, y| {
        let (start, count) = sequences.of(index);
        let row = |i: usize| &x[(start + i) * width..][..width];
        match op.0 {
            _ if count == 0 => y.fill(0.0),
            Pooling::First => y.copy_from_slice(row(0)),
            Pooling::Last => y.copy_from_slice(row(count - 1)),
            Pooling::Mean => {
                y.fill(0.0);
                fold_rows(level, Add, &x[start * width..][..count * width], width, 0, y);
                map_in_place(level, Scale(1.0 / count as f32), y);
            }
        }
    });
    Ok(())
}

pub(crate) fn pool_grad(op: &SequencePoolGrad, mut call: Call<'_>) -> Result<(), CpuError> {
    let (dy, width, level) = (call.input(0), call.shape[1], call.cpu.level());
    let sequences = Sequences::new(&call, 1, call.shape[0])?;
    if width == 0 {
        return Ok(());
    }
    let dx = Parts::new(call.output());
    call.cpu.run(dy.len() / width, |index| {
        let (start, count) = sequences.of(index);
        // SAFETY: sequences do not overlap.
        let dx = unsafe { dx.slice(start * width, count * width) };
        let dy = &dy[index * width..][..width];
        let taken = match op.0 {
            Pooling::First => 0,
            Pooling::Last => count.saturating_sub(1),
            Pooling::Mean => {
                dx.chunks_exact_mut(width).for_each(|dx| map(level, Scale(1.0 / count as f32), dy, dx));
                return;
            }
        };
        for (i, dx) in dx.chunks_exact_mut(width).enumerate() {
            if i == taken { dx.copy_from_slice(dy) } else { dx.fill(0.0) }
        }
    });
    Ok(())
}

/// A task is one sequence.
pub(crate) fn prompt(mut call: Call<'_>) -> Result<(), CpuError> {
    let (x, prompt, width) = (call.input(0), call.input(1), call.shape[1]);
    let sequences = Sequences::new(&call, 2, call.shape[0])?;
    let y = Parts::new(call.output());
    call.cpu.run(sequences.count(call.batch), |index| {
        let (start, count) = sequences.of(index);
        // SAFETY: sequences do not overlap.
        let y = unsafe { y.slice(start * width, count * width) };
        let (first, rest) = y.split_at_mut(prompt.len().min(count * width));
        first.copy_from_slice(&prompt[..first.len()]);
        rest.copy_from_slice(&x[start * width + first.len()..(start + count) * width]);
    });
    Ok(())
}

/// A task is one row of the prompt, which is summed over the sequences in their order.
pub(crate) fn prompt_grad(mut call: Call<'_>) -> Result<(), CpuError> {
    let (dy, width) = (call.input(0), call.shape[1]);
    let sequences = Sequences::new(&call, 1, call.input_shape(0)[0])?;
    let count = sequences.count(call.batch);
    call.cpu.for_chunks(call.output(), width, |place, sum| {
        sum.fill(0.0);
        for (start, length) in (0..count).map(|index| sequences.of(index)) {
            if place < length {
                let row = &dy[(start + place) * width..][..width];
                sum.iter_mut().zip(row).for_each(|(sum, dy)| *sum += dy);
            }
        }
    });
    Ok(())
}
