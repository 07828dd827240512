//! Attention of every token to the tokens of its own sequence.
//! Vaswani et al., *Attention is all you need*, 2017.

use super::matmul::Precision;
use super::relative::Relative;
use super::sequence::{Sequences, sequences};
use super::{Operand, Operation, Sizes, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Dim, Shape};

/// `y_i = Σⱼ pᵢⱼ · vⱼ` for each head, with `p = dropout(softmax(scale · q kᵀ))` over the tokens j that i sees.
///
/// Inputs `(q, k, v)` of `[rows, heads · head size]`, one row a token, sequences one after the other, or one input that holds the three
/// side by side if [`packed`](Attention::packed), the tables of [`Relative`] positions if there are any, keys and values of the prefix
/// `[prefix, heads · head size]` if there is one, and `lengths` where the rows are [`Symbol::Tokens`](crate::Symbol::Tokens); see
/// [`super::sequence`]. The output has the shape of q. Scores are made a band of rows at a time and never kept: the gradient
/// makes them again. Tokens that are not seen cost nothing but where they share a band with one that is.
///
/// A share is dropped where `uniform < rate`; it is number `(head · n + i) · n + j` of the stream of its example
/// ([`super::random`]), n being the example's number of tokens. With a prefix of p, j counts from its first key, and
/// the number is `(head · n + i) · (p + n) + j`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Number of heads.
    pub heads: usize,
    /// Whether q, k and v are parts of one input `[rows, 3 · heads · head size]`, as a single product makes them.
    pub packed: bool,
    /// Factor of the scores, usually `1 / √(head size)`.
    pub scale: f32,
    /// Which tokens a token sees.
    pub reach: Reach,
    /// Probability that a share is dropped, and the number of its stream.
    pub dropout: Option<(f32, u32)>,
    /// What the distance of two tokens adds to their score.
    pub relative: Option<Relative>,
    /// Number of keys and values that stand before those of every sequence, the same for all; 0 for none. Nothing else sees
    /// them. They have no place, so that all tokens must be seen, and there are no relative positions. Li and Liang,
    /// *Prefix-tuning*, 2021.
    pub prefix: usize,
    /// How factors of the products may be read. With relative positions they are always `f32`.
    pub precision: Precision,
}

/// Which tokens j of its sequence a token i sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All.
    All,
    /// Those up to itself, `j ≤ i`.
    Causal,
    /// Those at most this far away, `|i − j| ≤ distance`.
    Window(usize),
}

impl Reach {
    /// The tokens that token `i` of `n` sees.
    pub fn seen_by(self, i: usize, n: usize) -> std::ops::Range<usize> {
        match self {
            Reach::All => 0..n,
            Reach::Causal => 0..i + 1,
            Reach::Window(distance) => i.saturating_sub(distance)..n.min(i.saturating_add(distance).saturating_add(1)),
        }
    }
}

impl Operation for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        Ok((self.check(inputs, 0)?, DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let lengths = self.lengths(0);
        let before = (0..lengths).map(|index| b.input(index));
        let inputs: Vec<NodeId> =
            before.chain([b.dy]).chain((lengths..b.input_count()).map(|index| b.input(index))).collect();
        let (rows, prefix) = (self.rows(), self.prefix_keys());
        if (0..rows).any(|index| b.needs(index)) {
            let all = b.graph.push(AttentionGrad(*self).into(), &inputs)?;
            if self.packed {
                b.give(0, all);
            } else {
                give_parts(b, all, 0..rows)?;
            }
        }
        if (rows..prefix).any(|index| b.needs(index)) {
            let all = b.graph.push(AttentionGradTables(*self).into(), &inputs)?;
            give_parts(b, all, rows..prefix)?;
        }
        if (prefix..lengths).any(|index| b.needs(index)) {
            let all = b.graph.push(AttentionGradPrefix(*self).into(), &inputs)?;
            give_parts(b, all, prefix..lengths)?;
        }
        Ok(())
    }

    /// As if all sequences were equally long.
    fn flops(&self, sizes: Sizes<'_>) -> u64 {
        (self.products(2, 1) * self.mean_seen(sizes, 0) * sizes.output.iter().product::<usize>()) as u64
    }
}

/// Gives the parts of a stack of gradients to the inputs that need them.
fn give_parts(b: &mut Backward<'_>, all: NodeId, inputs: std::ops::Range<usize>) -> Result<(), GraphError> {
    for (part, index) in inputs.enumerate() {
        if b.needs(index) {
            let shape = b.graph.shape(b.input(index)).clone();
            let grad = b.graph.slice(all, 0, part, 1)?;
            let grad = b.graph.reshape(grad, shape)?;
            b.give(index, grad);
        }
    }
    Ok(())
}

impl Attention {
    /// Attention to all tokens, and nothing else: q, k and v apart, no dropout, no relative positions, no prefix, products in 32 bits.
    pub fn new(heads: usize, scale: f32) -> Attention {
        Attention {
            heads,
            packed: false,
            scale,
            reach: Reach::All,
            dropout: None,
            relative: None,
            prefix: 0,
            precision: Precision::F32,
        }
    }

    /// Number of inputs that hold q, k and v.
    pub fn rows(&self) -> usize {
        if self.packed { 1 } else { 3 }
    }

    /// Values of a row of q, where so many are in a row of the first input.
    pub fn width(&self, of_input: usize) -> usize {
        if self.packed { of_input / 3 } else { of_input }
    }

    /// Number of tables of relative positions.
    pub fn tables(&self) -> usize {
        self.relative.map_or(0, Relative::tables)
    }

    /// The number of the input that holds the prefix's keys, if there is one; its values follow.
    pub fn prefix_keys(&self) -> usize {
        self.rows() + self.tables()
    }

    /// The number of the input that holds lengths, if there is one, with `more` inputs before it than q, k, v, tables and prefix.
    pub fn lengths(&self, more: usize) -> usize {
        self.prefix_keys() + if self.prefix > 0 { 2 } else { 0 } + more
    }

    /// Checks q, k and v, tables, prefix, `more` inputs of the shape of q, and lengths; gives the shape of q.
    fn check(&self, inputs: &[Operand<'_>], more: usize) -> Result<Shape, Rule> {
        let count = self.lengths(more);
        require(inputs.len() >= count, || {
            "it takes query, key and value, tables of relative positions, a prefix, and lengths of sequences".to_owned()
        })?;
        let (rows, lengths) = inputs.split_at(count);
        let (rows, gradients) = rows.split_at(self.lengths(0));
        let (rows, tables) = rows.split_at(self.rows());
        let (tables, prefix) = tables.split_at(self.tables());
        let first = rows[0].shape;
        let same = rows.iter().all(|r| r.shape == first && r.dtype == DType::F32);
        require(first.rank() == 2 && same, || "query, key and value must have one shape [rows, width]".to_owned())?;
        sequences(first, lengths)?;
        let of_input = first[1].fixed().unwrap_or(0);
        require(!self.packed || of_input.is_multiple_of(3), || {
            format!("a width of {of_input} is not three times that of query, key and value")
        })?;
        let width = self.width(of_input);
        require(self.heads > 0 && width.is_multiple_of(self.heads), || {
            format!("a width of {width} does not divide into {} heads", self.heads)
        })?;
        let q = first.with(1, width.into());
        require(gradients.iter().all(|dy| *dy.shape == q && dy.dtype == DType::F32), || {
            format!("the gradient of the result must be f32 {q}")
        })?;
        if let Some(relative) = self.relative {
            relative.check(tables, q[1], self.heads)?;
        }
        let expected = Shape::new([self.prefix.into(), q[1]]);
        require(prefix.iter().all(|p| *p.shape == expected && p.dtype == DType::F32), || {
            format!("keys and values of the prefix must be f32 {expected}")
        })?;
        require(self.prefix == 0 || self.reach == Reach::All && self.relative.is_none(), || {
            "with a prefix, tokens must see all others, and there are no relative positions".to_owned()
        })?;
        let rate = self.dropout.map_or(0.0, |(rate, _)| rate);
        require((0.0..1.0).contains(&rate), || format!("the rate of dropout must be in [0, 1), found {rate}"))?;
        Ok(q)
    }

    /// Floating-point operations for each value of q and each token seen: those of `plain` products, and `relative` ones for
    /// each term of relative positions, two each.
    fn products(&self, plain: usize, relative: usize) -> usize {
        let terms = match self.relative {
            Some(Relative::Vectors { keys, queries, .. }) => usize::from(keys) + usize::from(queries),
            Some(Relative::Bias(_)) | None => 0,
        };
        2 * (plain + relative * terms)
    }

    /// Values of `dy`, which comes before lengths.
    fn gradient_len(&self, sizes: Sizes<'_>) -> usize {
        sizes.inputs[self.lengths(0)].iter().product()
    }

    /// How many tokens a token sees where all sequences are equally long; `more` as in [`Attention::lengths`].
    fn mean_seen(&self, sizes: Sizes<'_>, more: usize) -> usize {
        let sequences = sizes.inputs.get(self.lengths(more)).map_or(sizes.batch, |lengths| lengths[0]);
        let length = sizes.inputs[0][0].div_ceil(sequences.max(1));
        match self.reach {
            Reach::Window(distance) => length.min(2 * distance + 1),
            Reach::All | Reach::Causal => self.prefix + length,
        }
    }
}

/// The gradients of [`Attention`] with respect to q, k and v: inputs as there, with `dy` before lengths, output `[3, rows, width]`, or that of
/// the one input that holds all three. With `dp = (dy vᵀ) · mask` and `ds = p · (dp − Σⱼ dp p)`: `dq = scale · ds k`,
/// `dk = scale · dsᵀ q`, `dv = (p · mask)ᵀ dy`; vectors of relative positions are added to k in the first, and to q in the
/// second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionGrad(pub Attention);

impl Operation for AttentionGrad {
    fn name(&self) -> &'static str {
        "attention_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let q = self.0.check(inputs, 1)?;
        let packed = self.0.packed.then(|| inputs[0].shape.clone());
        Ok((packed.unwrap_or_else(|| Shape::new([Dim::Fixed(3), q[0], q[1]])), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, sizes: Sizes<'_>) -> u64 {
        (self.0.products(5, 2) * self.0.mean_seen(sizes, 1) * self.0.gradient_len(sizes)) as u64
    }
}

/// The gradients of [`Attention`] with respect to its tables of relative positions, stacked: inputs as those of
/// [`AttentionGrad`], output `[tables, buckets, columns]`. With ds as there, `Σ ds` for a bias, `scale · Σ ds qᵢ` for keys
/// and `scale · Σ ds kⱼ` for queries, over all pairs of tokens whose distance is in the bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionGradTables(pub Attention);

impl Operation for AttentionGradTables {
    fn name(&self) -> &'static str {
        "attention_grad_tables"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        self.0.check(inputs, 1)?;
        let tables = &inputs[self.0.rows()..self.0.lengths(0)];
        let table = tables.first().ok_or("there are no relative positions")?.shape;
        Ok((Shape::new([Dim::Fixed(tables.len()), table[0], table[1]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, sizes: Sizes<'_>) -> u64 {
        (self.0.products(2, 2) * self.0.mean_seen(sizes, 1) * self.0.gradient_len(sizes)) as u64
    }
}

/// The gradients of [`Attention`] with respect to keys and values of its prefix, stacked: inputs as those of [`AttentionGrad`],
/// output `[2, prefix, width]`. With ds as there, `scale · Σ dsᵀ q` and `Σ (p · mask)ᵀ dy` over all sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionGradPrefix(pub Attention);

impl Operation for AttentionGradPrefix {
    fn name(&self) -> &'static str {
        "attention_grad_prefix"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let q = self.0.check(inputs, 1)?;
        require(self.0.prefix > 0, || "there is no prefix".to_owned())?;
        Ok((Shape::new([Dim::Fixed(2), self.0.prefix.into(), q[1]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    /// All scores are made again, and of the products with them those of the prefix alone.
    fn flops(&self, sizes: Sizes<'_>) -> u64 {
        let of_all = self.0.products(2, 0) * self.0.mean_seen(sizes, 1);
        ((of_all + self.0.products(2, 0) * self.0.prefix) * self.0.gradient_len(sizes)) as u64
    }
}

impl Graph {
    /// Attention of rows of tokens. `sequences` says which rows belong together.
    pub fn attention(&mut self, op: Attention, rows: [NodeId; 3], sequences: Sequences) -> Result<NodeId, GraphError> {
        self.relative_attention(op, rows, &[], sequences)
    }

    /// Attention of rows that hold q, k and v side by side: `op` becomes [`packed`](Attention::packed).
    pub fn packed_attention(
        &mut self,
        op: Attention,
        rows: NodeId,
        sequences: Sequences,
    ) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = std::iter::once(rows).chain(sequences.lengths()).collect();
        self.push(Attention { packed: true, ..op }.into(), &inputs)
    }

    /// The same with keys and values `[op.prefix, width]` before those of every sequence.
    pub fn prefixed_attention(
        &mut self,
        op: Attention,
        rows: [NodeId; 3],
        prefix: [NodeId; 2],
        sequences: Sequences,
    ) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = rows.into_iter().chain(prefix).chain(sequences.lengths()).collect();
        self.push(op.into(), &inputs)
    }

    /// The same with tables of relative positions.
    pub fn relative_attention(
        &mut self,
        op: Attention,
        rows: [NodeId; 3],
        tables: &[NodeId],
        sequences: Sequences,
    ) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = rows.into_iter().chain(tables.iter().copied()).chain(sequences.lengths()).collect();
        self.push(op.into(), &inputs)
    }
}
