//! Bands of rows: chains of operations that each thread runs on a few rows of images at a time, in the cache of its own core.
//!
//! [Slices](crate::slices) keep what a chain hands on in the last cache, which all cores share and which on many machines is not much
//! faster than memory. Normalizing, convolving pixel by pixel and depthwise, and sums over pixels need no more than some rows: so a thread takes
//! a band of rows through the whole chain, with the kernels that run on whole batches, and then the next band. What nobody outside of the
//! chain reads is never held for more than a band. Where an operation reads rows beside its own, as depthwise convolutions do, the band
//! computes those rows of what it is given as well, if that costs little; else the chain ends there.
//!
//! Sums over the batch are taken lane by lane: a lane is a fixed share of the bands, whose sums are added in their order, and lanes are
//! joined in theirs. Neither bands nor lanes depend on the number of threads, so that the bits do not.

use std::ops::Range;

use retune_graph::ops::{ConvGeometry, DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight};
use retune_graph::{Graph, Node, Op};

use crate::cpu::Cpu;
use crate::kernels;
use crate::kernels::conv2d::{is_pointwise, packed_kernel_len};
use crate::plan::{Buffer, LINE, assign_offsets};
use crate::slices::{Join, join, leads_by_examples};

/// Most lanes.
const MOST_LANES: usize = 32;

/// Fewest lanes, where there are as many bands: each is the work of one thread.
const FEWEST_LANES: usize = 16;

/// Values that the sums of all lanes may take.
const LANE_VALUES: usize = 1 << 22;

/// How a chain runs on bands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bands {
    /// Parts of the batch, equal in size: images, or rows of all of them.
    pub groups: usize,
    /// The bands of a group.
    pub cuts: Vec<Cut>,
    pub lanes: usize,
    /// Values that a thread needs.
    pub thread_len: usize,
    /// Values that a lane needs for its sums.
    pub lane_len: usize,
    /// Values of the packed kernel of each step; 0 where it has none.
    pub packed: Vec<usize>,
}

impl Bands {
    /// Number of bands.
    pub fn count(&self) -> usize {
        self.groups * self.cuts.len()
    }

    /// The bands of a lane, by number.
    pub fn of_lane(&self, lane: usize) -> Range<usize> {
        lane * self.count() / self.lanes..(lane + 1) * self.count() / self.lanes
    }

    /// The group of a band, and its cut.
    pub fn band(&self, index: usize) -> (usize, &Cut) {
        (index / self.cuts.len(), &self.cuts[index % self.cuts.len()])
    }

    /// Pixels that the sum of step `at` goes over in these bands.
    pub fn pixels(&self, bands: Range<usize>, at: usize) -> usize {
        bands.map(|index| self.band(index).1.steps[at].sum.map_or(0, |sum| sum.pixels)).sum()
    }

    /// Values of memory for so many threads.
    pub fn room(&self, threads: usize) -> usize {
        threads * self.thread_len + self.lanes * self.lane_len + self.packed.iter().sum::<usize>()
    }
}

/// A band of each group: the steps of the chain, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cut {
    pub steps: Vec<CutStep>,
}

/// A step of the chain on a band.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CutStep {
    /// The operation where it is not the graph's: its padding is that of the band.
    pub op: Option<Op>,
    pub inputs: Vec<View>,
    pub output: View,
    /// Where the result is stored, if somebody outside of the chain reads it.
    pub stored: Option<Part>,
    /// Scratch among the thread's values.
    pub scratch: Range<usize>,
    /// Whether the result is a sum over the batch.
    pub sum: Option<Sum>,
}

/// A sum over the pixels of a band, which is joined to that of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Where it is among the lane's values.
    pub lane: usize,
    pub pixels: usize,
}

/// The values of a node that a band reads or writes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    pub shape: Box<[usize]>,
    pub place: Place,
}

/// Where the values of a band are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the node's buffer.
    Buffer(Part),
    /// Among the thread's values, from here.
    Thread(usize),
    /// A sum that is added to that of the lane at once.
    Lane,
}

/// The part of a band in a buffer: from `offset + group · stride`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub offset: usize,
    pub stride: usize,
}

/// What decides about bands.
pub(crate) struct Banding<'a> {
    pub graph: &'a Graph,
    pub shapes: &'a [Box<[usize]>],
    pub lens: &'a [usize],
    /// The node whose buffer a node's values are in.
    pub root: &'a [usize],
    /// The steps that read a buffer, by its root; none where the caller reads it.
    pub readers: &'a [Option<Vec<usize>>],
    pub batch: usize,
    /// Values that a core's own cache holds.
    pub band_len: usize,
    /// A single thread at the level of the session.
    pub alone: &'a Cpu,
}

impl Banding<'_> {
    /// Whether an operation can run on bands.
    pub fn is_banded(&self, id: usize) -> bool {
        let node = self.node(id);
        let is_image = |id: usize| {
            let node = self.node(id);
            leads_by_examples(node) && self.shapes[id].len() == 4 && self.root[id] == id && self.lens[id] > 0
        };
        let same_pixels = |other: usize| self.shapes[self.reference(id)][1..3] == self.shapes[other][1..3];
        let is_channels = |id: usize| self.shapes[id].len() <= 1;
        let has_neighbours = neighbours(&node.op).is_some();
        let is_able = match &node.op {
            Op::Activate(_) | Op::ActivateGrad(_) | Op::Affine(_) => true,
            Op::BatchNorm(_) | Op::BatchNormGradInput(_) | Op::BatchNormGradSums(_) | Op::BatchMoments(_) => true,
            Op::Binary(_) => node.inputs.iter().all(|input| is_image(input.0) || is_channels(input.0)),
            Op::Conv2d(op) => self.is_pixelwise(&op.geometry, node),
            Op::Conv2dGradInput(op) => self.is_pixelwise(&op.geometry, node),
            Op::Conv2dGradWeight(op) => is_pointwise(&op.geometry, op.kernel),
            op => neighbours(op)
                .is_some_and(|geometry| geometry.dilation == [1, 1] && geometry.strides[0] <= self.kernel_height(id)),
        };
        let mut images =
            node.inputs.iter().map(|input| input.0).filter(|&id| leads_by_examples(self.node(id))).peekable();
        is_able
            && (join(&node.op) != Some(Join::Examples) || is_image(id))
            && images.peek().is_some()
            && images.all(|input| is_image(input) && (has_neighbours || same_pixels(input)))
    }

    fn is_pixelwise(&self, geometry: &ConvGeometry, node: &Node) -> bool {
        let kernel = &self.shapes[node.inputs[1].0];
        is_pointwise(geometry, [kernel[0], kernel[1]])
    }

    /// The chain in pieces that run on bands, or not.
    pub fn pieces(&self, nodes: &[usize]) -> Vec<(Vec<usize>, Option<Bands>)> {
        if nodes.len() < 2 {
            return vec![(nodes.to_vec(), None)];
        }
        match self.bands(nodes) {
            Ok(bands) => vec![(nodes.to_vec(), bands)],
            Err(at) => {
                let (first, second) = nodes.split_at(at);
                let mut pieces = self.pieces(first);
                pieces.extend(self.pieces(second));
                pieces
            }
        }
    }

    fn node(&self, id: usize) -> &Node {
        &self.graph.nodes()[id]
    }

    /// Whether only this chain reads what a step of it gives.
    fn is_local(&self, id: usize, nodes: &[usize]) -> bool {
        let is_read_inside = |readers: &Vec<usize>| readers.iter().all(|reader| nodes.contains(reader));
        join(&self.node(id).op) == Some(Join::Examples) && self.readers[id].as_ref().is_some_and(is_read_inside)
    }

    /// The bands of a chain, `None` where it is too small; or the place where the chain must end.
    fn bands(&self, nodes: &[usize]) -> Result<Option<Bands>, usize> {
        let mut images: Vec<usize> =
            nodes.iter().flat_map(|&id| self.node(id).inputs.iter().map(|input| input.0).chain([id])).collect();
        images.retain(|&id| leads_by_examples(self.node(id)));
        images.sort_unstable();
        images.dedup();
        let footprint: usize = images.iter().map(|&id| self.lens[id]).sum();
        let wanted = footprint.div_ceil(self.band_len.max(1));
        if wanted < 2 {
            return Ok(None);
        }
        let height = |id: usize| self.shapes[id][1];
        let has_neighbours = nodes.iter().any(|&id| neighbours(&self.node(id).op).is_some());
        let lowest = images.iter().map(|&id| height(id)).min().unwrap_or(1);
        let grid = if !has_neighbours {
            // Steps one after the other need not have to do with each other.
            let height = |&id: &usize| self.shapes[self.reference(id)][1];
            if let Some(other) = nodes.iter().position(|id| height(id) != height(&nodes[0])) {
                return Err(other);
            }
            // Rows of all images are one column.
            let rows = self.batch * lowest;
            let groups = divisor(rows, wanted);
            Grid { groups, images: 1, lowest: rows / groups, cuts: 1, is_column: true }
        } else if wanted <= self.batch {
            let groups = divisor(self.batch, wanted);
            Grid { groups, images: self.batch / groups, lowest, cuts: 1, is_column: false }
        } else {
            let rows = lowest.div_ceil(wanted.div_ceil(self.batch)).max(1);
            Grid { groups: self.batch, images: 1, lowest, cuts: lowest.div_ceil(rows), is_column: false }
        };
        let rows = grid.lowest.div_ceil(grid.cuts);
        let mut cuts = Vec::with_capacity(grid.cuts);
        let mut thread_len = 0;
        for first in (0..grid.lowest).step_by(rows) {
            let Some(rows) = self.rows(nodes, &grid, &(first..grid.lowest.min(first + rows)))? else {
                return Ok(None);
            };
            let (cut, len) = self.cut(nodes, &grid, &rows);
            thread_len = thread_len.max(len);
            cuts.push(cut);
        }
        let count = grid.groups * cuts.len();
        let sums = nodes.iter().filter(|&&id| join(&self.node(id).op) != Some(Join::Examples));
        let lane_len: usize = sums.map(|&id| self.lens[id].next_multiple_of(LINE)).sum();
        let lanes = LANE_VALUES.checked_div(lane_len).map_or(count, |most| most.min(MOST_LANES).min(count));
        let packed = nodes.iter().map(|&id| self.packed_len(id)).collect();
        let is_worth = lanes >= FEWEST_LANES.min(count);
        Ok(is_worth.then_some(Bands { groups: grid.groups, cuts, lanes, thread_len, lane_len, packed }))
    }

    /// The rows that each step of a chain writes and reads for the band whose rows of the lowest images are `band`. `None` where there is no
    /// such band; or the place where the chain must end.
    fn rows(&self, nodes: &[usize], grid: &Grid, band: &Range<usize>) -> Result<Option<Vec<Rows>>, usize> {
        let mut needed: Vec<Option<Range<usize>>> = vec![None; nodes.len()];
        let mut all: Vec<Rows> = Vec::with_capacity(nodes.len());
        for (at, &id) in nodes.iter().enumerate().rev() {
            let node = self.node(id);
            let own = grid.share(self.shapes[self.reference(id)][1], band);
            let is_local = self.is_local(id, nodes);
            let written = match needed[at].take() {
                // Rows beside the band are computed twice if that costs little and nobody else sees them.
                Some(rows) if rows.start < own.start || rows.end > own.end => {
                    if !is_local || !is_cheap(&node.op) {
                        return Err(at + 1);
                    }
                    rows
                }
                Some(rows) if is_local => rows,
                _ => own,
            };
            let mut read = Vec::with_capacity(node.inputs.len());
            for (index, input) in node.inputs.iter().enumerate() {
                if !leads_by_examples(self.node(input.0)) {
                    read.push(0..0);
                    continue;
                }
                let height = self.shapes[input.0][1];
                let rows = match neighbours(&node.op) {
                    Some(_) if grid.cuts == 1 => 0..height,
                    Some(geometry) => rows_read(&node.op, index, geometry, self.kernel_height(id), &written, height),
                    None => written.clone(),
                };
                if rows.is_empty() {
                    return Ok(None);
                }
                if let Some(from) = nodes.iter().position(|&node| node == input.0) {
                    let before = needed[from].take().unwrap_or(rows.clone());
                    needed[from] = Some(before.start.min(rows.start)..before.end.max(rows.end));
                }
                read.push(rows);
            }
            if written.is_empty() {
                return Ok(None);
            }
            all.push(Rows { written, read });
        }
        all.reverse();
        Ok(Some(all))
    }

    /// The chain on one band, and the values that it needs of a thread.
    fn cut(&self, nodes: &[usize], grid: &Grid, rows: &[Rows]) -> (Cut, usize) {
        let is_image = |id: usize| leads_by_examples(self.node(id));
        let row_len = |id: usize| self.shapes[id][2..].iter().product::<usize>();
        let shape = |id: usize, rows: &Range<usize>| -> Box<[usize]> {
            if is_image(id) {
                [grid.images, rows.len(), self.shapes[id][2], self.shapes[id][3]].into()
            } else {
                self.shapes[id].clone()
            }
        };
        // What a thread holds: results, parts of sums, scratch.
        let (mut buffers, mut results, mut scratches) = (Vec::new(), vec![None; nodes.len()], Vec::new());
        let mut steps = Vec::with_capacity(nodes.len());
        let mut lane_len = 0;
        for (at, (&id, rows)) in nodes.iter().zip(rows).enumerate() {
            let node = self.node(id);
            let is_sum = join(&node.op) != Some(Join::Examples);
            let output = shape(id, &rows.written);
            if !is_sum || !kernels::can_add(&node.op) {
                let reads = |&reader: &usize| self.node(nodes[reader]).inputs.iter().any(|input| input.0 == id);
                let end = (at..nodes.len()).rfind(reads).unwrap_or(at);
                results[at] = Some(buffers.len());
                buffers.push(Buffer { len: output.iter().product(), start: at, end, offset: 0 });
            }
            let op = if grid.cuts > 1 { on_band(&node.op, rows) } else { None };
            let inputs: Vec<Box<[usize]>> =
                node.inputs.iter().zip(&rows.read).map(|(input, rows)| shape(input.0, rows)).collect();
            let input_shapes: Vec<&[usize]> = inputs.iter().map(|shape| &**shape).collect();
            let op_here = op.as_ref().unwrap_or(&node.op);
            let len =
                kernels::scratch_len(op_here, &input_shapes, &output, grid.images, self.alone) - self.packed_len(id);
            let sum = is_sum.then(|| Sum { lane: lane_len, pixels: inputs[0][..3].iter().product() });
            if is_sum {
                lane_len += self.lens[id].next_multiple_of(LINE);
            }
            // Places follow once all buffers are known.
            let view = |shape| View { shape, place: Place::Lane };
            let inputs = inputs.into_iter().map(view).collect();
            steps.push(CutStep { op, inputs, output: view(output), stored: None, scratch: 0..0, sum });
            scratches.push(buffers.len());
            buffers.push(Buffer { len, start: at, end: at, offset: 0 });
        }
        let thread_len = assign_offsets(&mut buffers);
        let in_buffer = |id: usize, rows: &Range<usize>| Part {
            offset: rows.start * row_len(id),
            stride: self.lens[id] / grid.groups,
        };
        let place = |id: usize, read: &Range<usize>| {
            let from = nodes.iter().position(|&node| node == id);
            match from.and_then(|from| Some((from, results[from]?))) {
                _ if !is_image(id) => Place::Buffer(Part { offset: 0, stride: 0 }),
                Some((from, buffer)) => {
                    Place::Thread(buffers[buffer].offset + (read.start - rows[from].written.start) * row_len(id))
                }
                None => Place::Buffer(in_buffer(id, read)),
            }
        };
        for (at, step) in steps.iter_mut().enumerate() {
            for ((view, input), read) in step.inputs.iter_mut().zip(&self.node(nodes[at]).inputs).zip(&rows[at].read) {
                view.place = place(input.0, read);
            }
            if let Some(buffer) = results[at] {
                step.output.place = Place::Thread(buffers[buffer].offset);
            }
            if step.sum.is_none() && !self.is_local(nodes[at], nodes) {
                step.stored = Some(in_buffer(nodes[at], &rows[at].written));
            }
            let scratch = &buffers[scratches[at]];
            step.scratch = scratch.offset..scratch.offset + scratch.len;
        }
        (Cut { steps }, thread_len)
    }

    /// The node whose rows a step goes over: its result, or what it takes the sum of.
    fn reference(&self, id: usize) -> usize {
        let node = self.node(id);
        match &node.op {
            op if join(op) == Some(Join::Examples) => id,
            Op::DepthwiseConv2dGradWeight(_) => node.inputs[1].0,
            _ => node.inputs[0].0,
        }
    }

    /// Values of the packed kernel of an operation; 0 where it has none.
    fn packed_len(&self, id: usize) -> usize {
        let node = self.node(id);
        node.inputs.get(1).map_or(0, |kernel| packed_kernel_len(&node.op, &self.shapes[kernel.0]))
    }

    /// Rows of the kernel of a depthwise convolution.
    fn kernel_height(&self, id: usize) -> usize {
        match &self.node(id).op {
            Op::DepthwiseConv2dGradWeight(op) => op.kernel[0],
            _ => self.shapes[self.node(id).inputs[1].0][0],
        }
    }
}

/// The rows of images that a step writes on a band, and those that it reads of each input.
struct Rows {
    written: Range<usize>,
    read: Vec<Range<usize>>,
}

/// How the batch is cut.
struct Grid {
    groups: usize,
    /// Images of a group.
    images: usize,
    /// Rows of the lowest images of the chain.
    lowest: usize,
    cuts: usize,
    /// Whether the rows of all images are one column, of which a group is a part.
    is_column: bool,
}

impl Grid {
    /// The rows of images of this height that are the band's own.
    fn share(&self, height: usize, band: &Range<usize>) -> Range<usize> {
        if self.is_column {
            return band.clone();
        }
        let scale = height.div_ceil(self.lowest);
        let end = if band.end == self.lowest { height } else { (band.end * scale).min(height) };
        (band.start * scale).min(height)..end
    }
}

/// The smallest divisor that is at least `wanted`, where there is one that large.
fn divisor(of: usize, wanted: usize) -> usize {
    (wanted.max(1)..=of).find(|groups| of.is_multiple_of(*groups)).unwrap_or(of)
}

/// The geometry of an operation that reads rows beside those that it writes.
fn neighbours(op: &Op) -> Option<&ConvGeometry> {
    match op {
        Op::DepthwiseConv2d(op) => Some(&op.geometry),
        Op::DepthwiseConv2dGradInput(op) => Some(&op.geometry),
        Op::DepthwiseConv2dGradWeight(op) => Some(&op.geometry),
        _ => None,
    }
}

/// Whether rows may be computed twice.
fn is_cheap(op: &Op) -> bool {
    neighbours(op).is_none() && !matches!(op, Op::Conv2d(_) | Op::Conv2dGradInput(_))
}

/// The rows of input `index` that `rows` of the result are made of, among `height`.
fn rows_read(
    op: &Op,
    index: usize,
    geometry: &ConvGeometry,
    kernel: usize,
    rows: &Range<usize>,
    height: usize,
) -> Range<usize> {
    let (stride, before) = (geometry.strides[0], geometry.padding[0].0);
    match op {
        // The gradient of the result, whose windows see these rows.
        Op::DepthwiseConv2dGradInput(_) => {
            let first = (rows.start + before + 1).saturating_sub(kernel).div_ceil(stride);
            first..height.min((rows.end - 1 + before) / stride + 1)
        }
        Op::DepthwiseConv2dGradWeight(_) if index == 1 => rows.clone(),
        _ => {
            let first = (rows.start * stride).saturating_sub(before);
            first..height.min(((rows.end - 1) * stride + kernel).saturating_sub(before))
        }
    }
}

/// The operation with the padding that a band has, if it reads rows beside those that it writes.
fn on_band(op: &Op, rows: &Rows) -> Option<Op> {
    let on_band = |geometry: ConvGeometry, windows: &Range<usize>, pixels: &Range<usize>| {
        // Tap 0 of window w sees pixel w · stride − before, both counted from those at hand.
        let before = geometry.padding[0].0 + pixels.start - windows.start * geometry.strides[0];
        ConvGeometry { padding: [(before, 0), geometry.padding[1]], ..geometry }
    };
    Some(match op {
        Op::DepthwiseConv2d(op) => {
            DepthwiseConv2d { geometry: on_band(op.geometry, &rows.written, &rows.read[0]) }.into()
        }
        Op::DepthwiseConv2dGradInput(op) => DepthwiseConv2dGradInput {
            geometry: on_band(op.geometry, &rows.read[0], &rows.written),
            input_size: [rows.written.len(), op.input_size[1]],
        }
        .into(),
        Op::DepthwiseConv2dGradWeight(op) => {
            let geometry = on_band(op.geometry, &rows.read[1], &rows.read[0]);
            DepthwiseConv2dGradWeight { geometry, ..*op }.into()
        }
        _ => return None,
    })
}
