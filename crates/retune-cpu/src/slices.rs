//! Slices of the batch: chains of operations that run on a few examples at a time, so that what one hands to the next stays in the cache.
//!
//! A step of a network for images goes over its activations a dozen times, and each time they come from memory. Normalizing, convolving
//! and taking moments work example by example, or sum over examples; so a chain of such operations can run on a few images, then
//! on the next few. What the chain alone reads is never held for more than those.

use retune_graph::{Dim, Graph, Node, NodeId, Op};

use crate::bands::{Banding, Bands};

/// How the results of an operation on slices of the batch make its result on the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// Each slice gives the part of its examples.
    Examples,
    /// They are added.
    Sum,
    /// Means and variances: see [`batch_norm::merge`](crate::kernels::batch_norm::merge).
    Moments,
}

/// How the operation's results on slices are joined, if it can run on slices: all that it reads or writes along the batch is
/// apart for each example.
pub(crate) fn join(op: &Op) -> Option<Join> {
    match op {
        Op::Activate(_)
        | Op::ActivateGrad(_)
        | Op::Affine(_)
        | Op::BatchNorm(_)
        | Op::BatchNormGradInput(_)
        | Op::Binary(_)
        | Op::Conv2d(_)
        | Op::Conv2dGradInput(_)
        | Op::DepthwiseConv2d(_)
        | Op::DepthwiseConv2dGradInput(_) => Some(Join::Examples),
        Op::BatchNormGradSums(_) | Op::Conv2dGradWeight(_) | Op::DepthwiseConv2dGradWeight(_) => Some(Join::Sum),
        Op::BatchMoments(_) => Some(Join::Moments),
        _ => None,
    }
}

/// Whether the first axis of a node's values counts the examples of the batch.
pub(crate) fn leads_by_examples(node: &Node) -> bool {
    node.shape.dims().first() == Some(&Dim::BATCH)
}

/// Operations that run together, in their order; or one by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub nodes: Vec<usize>,
    /// Number of slices; 1 for the whole batch.
    pub slices: usize,
    /// How they run on bands of rows instead.
    pub bands: Option<Bands>,
}

impl Group {
    /// An operation by itself, on the whole batch.
    pub fn alone(id: usize) -> Group {
        Group { nodes: vec![id], slices: 1, bands: None }
    }
}

/// What decides about slices.
pub(crate) struct Slicing<'a> {
    pub graph: &'a Graph,
    /// Number of values of each node, for the batch at hand.
    pub lens: &'a [usize],
    /// The node whose buffer a node's values are in.
    pub root: &'a [usize],
    pub batch: usize,
    /// Values that fit the cache.
    pub cache_len: usize,
    pub banding: Banding<'a>,
}

impl Slicing<'_> {
    /// Puts the operations into groups. Operations on few values may change places with a group, if neither reads the other.
    pub fn groups(&self, ids: &[usize]) -> Vec<Group> {
        let mut done = Vec::new();
        let mut open = Open::default();
        let count = self.lens.len();
        // What is complete only once the open group has run, and what the group has for its own slices.
        let (mut is_late, mut is_inside) = (vec![false; count], vec![false; count]);
        for &id in ids {
            let node = &self.graph.nodes()[id];
            let reads = |marks: &[bool]| node.inputs.iter().any(|input| marks[self.root[input.0]]);
            let is_sliced = self.is_sliced(node, id);
            let is_small = self.lens[id] <= SMALL;
            if (is_sliced && reads(&is_late)) || !(is_sliced || is_small) {
                self.close(&mut open, &mut done);
                is_late.fill(false);
                is_inside.fill(false);
            }
            if is_sliced {
                open.group.push(id);
                let marks = if join(&node.op) == Some(Join::Examples) { &mut is_inside } else { &mut is_late };
                marks[id] = true;
            } else if reads(&is_late) || reads(&is_inside) {
                open.after.push(id);
                is_late[id] = true;
            } else {
                done.push(Group::alone(id));
            }
        }
        self.close(&mut open, &mut done);
        done
    }

    fn close(&self, open: &mut Open, done: &mut Vec<Group>) {
        let group = std::mem::take(&mut open.group);
        if group.iter().all(|&id| self.banding.is_banded(id)) {
            for (nodes, bands) in self.banding.pieces(&group) {
                match bands {
                    Some(_) => done.push(Group { nodes, slices: 1, bands }),
                    None => self.push_slices(nodes, done),
                }
            }
        } else {
            self.push_slices(group, done);
        }
        done.extend(open.after.drain(..).map(Group::alone));
    }

    /// A group on slices, or each operation by itself if there is but one.
    fn push_slices(&self, nodes: Vec<usize>, done: &mut Vec<Group>) {
        let slices = if nodes.len() > 1 { self.slices(&nodes) } else { 1 };
        if slices > 1 {
            done.push(Group { nodes, slices, bands: None });
        } else {
            done.extend(nodes.into_iter().map(Group::alone));
        }
    }

    /// Whether slices pay for an operation: it can run on them, and what it works on does not fit the cache.
    fn is_sliced(&self, node: &Node, id: usize) -> bool {
        let Some(join) = join(&node.op) else { return false };
        let nodes = self.graph.nodes();
        let of_batch = |input: &&NodeId| leads_by_examples(&nodes[input.0]);
        let inputs = node.inputs.iter().filter(of_batch);
        // Axes of operands are matched from the last, and a reshape may make other axes of the batch's.
        let is_apart = node.inputs.iter().all(|input| {
            let (seen, stored) = (&nodes[input.0], &nodes[self.root[input.0]]);
            let is_matched = join != Join::Examples || seen.shape.rank() == node.shape.rank();
            leads_by_examples(seen) == leads_by_examples(stored) && (is_matched || !leads_by_examples(seen))
        });
        let is_output = join == Join::Examples;
        let mut len: usize = inputs.clone().map(|input| self.lens[input.0]).sum();
        len += if is_output { self.lens[id] } else { 0 };
        let most = if self.banding.is_banded(id) { FEWEST_BANDS * self.banding.band_len } else { self.cache_len };
        is_apart && (!is_output || leads_by_examples(node)) && inputs.count() > 0 && len > most
    }

    /// The fewest slices of equal size for which all that an operation reads and writes of one fits the cache; as many as examples
    /// where none do.
    fn slices(&self, group: &[usize]) -> usize {
        let nodes = self.graph.nodes();
        let len = |&id: &usize| -> usize {
            let operands = nodes[id].inputs.iter().map(|input| input.0).chain([id]);
            operands.filter(|&id| leads_by_examples(&nodes[id])).map(|id| self.lens[id]).sum()
        };
        let most = group.iter().map(len).max().unwrap_or(0);
        (1..=self.batch)
            .find(|slices| self.batch.is_multiple_of(*slices) && most / slices <= self.cache_len)
            .unwrap_or(self.batch.max(1))
    }
}

/// The group that is being filled, and what must wait for it.
#[derive(Default)]
struct Open {
    group: Vec<usize>,
    after: Vec<usize>,
}

/// Values of an operation that may be done earlier or later than the graph says without holding memory that counts.
const SMALL: usize = 1 << 14;

/// Bands on which an operation is worth to run.
const FEWEST_BANDS: usize = 4;
