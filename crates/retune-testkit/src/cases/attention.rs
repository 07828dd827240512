//! Small compositions in which a value is used more than once, as attention and gated units use it.

use retune_graph::ops::sequence::Pooling;
use retune_graph::ops::{Activation, Attention, Buckets, Reach, Relative, Sequences};
use retune_graph::{DType, Dim, Graph, NodeId, Shape, Symbol};

use super::build::{Case, case, input, integers, rows, tokens, weight};

/// The dropout of the cases that have one.
const DROPOUT: Option<(f32, u32)> = Some((0.4, 3));

pub fn cases() -> Vec<Case> {
    let mut cases = compositions();
    for (name, reach, dropout) in [
        ("all", Reach::All, None),
        ("all, dropped", Reach::All, DROPOUT),
        ("causal", Reach::Causal, None),
        ("causal, dropped", Reach::Causal, DROPOUT),
        ("window", Reach::Window(1), None),
    ] {
        let op = Attention { reach, dropout, ..Attention::new(2, 0.7) };
        let ragged = case(format!("attention to {name}"), move |g| {
            let parts = ["q", "k", "v"].map(|name| tokens(g, name, &[6]));
            let lengths = g.input("lengths", Shape::batch_of(&[]), DType::I32);
            g.attention(op, parts, Sequences::Ragged(lengths))
        });
        cases.push(ragged.lengths(&[3, 1, 4]).range(-1.0, 1.0));
        let even = case(format!("attention to {name}, sequences of one length"), move |g| {
            let parts = ["q", "k", "v"].map(|name| rows(g, name, 3, &[6]));
            g.attention(op, parts, Sequences::Even)
        });
        cases.push(even.range(-1.0, 1.0));
    }
    for dropout in [None, DROPOUT] {
        let op = Attention { dropout, ..Attention::new(2, 0.7) };
        let packed = case(format!("attention of packed rows, dropped: {}", dropout.is_some()), move |g| {
            let rows = rows(g, "qkv", 3, &[18]);
            g.packed_attention(op, rows, Sequences::Even)
        });
        cases.push(packed.range(-1.0, 1.0));
    }
    cases.extend(relative());
    cases.extend(virtual_tokens());
    for pooling in [Pooling::First, Pooling::Last, Pooling::Mean] {
        let pooled = case(format!("{pooling:?} of a sequence"), move |g| {
            let x = tokens(g, "x", &[3]);
            let lengths = g.input("lengths", Shape::batch_of(&[]), DType::I32);
            g.sequence_pool(x, lengths, pooling)
        });
        cases.push(pooled.lengths(&[3, 1, 4]));
    }
    let dropped = case("dropout of tokens", |g| {
        let x = tokens(g, "x", &[3]);
        let lengths = g.input("lengths", Shape::batch_of(&[]), DType::I32);
        g.sequence_dropout(x, Sequences::Ragged(lengths), 0.4, 2)
    });
    cases.push(dropped.lengths(&[3, 1, 4]));
    cases.extend(two_sequences_an_example());
    cases
}

/// The same operations where an example has two sequences.
fn two_sequences_an_example() -> [Case; 3] {
    fn lengths(g: &mut Graph) -> NodeId {
        g.input("lengths", Shape::new([Dim::Scaled(2, Symbol::Batch)]), DType::I32)
    }
    let plain = Attention { dropout: DROPOUT, ..Attention::new(2, 0.7) };
    let attention = case("attention of two sequences an example", move |g| {
        let parts = ["q", "k", "v"].map(|name| tokens(g, name, &[6]));
        let lengths = lengths(g);
        g.attention(plain, parts, Sequences::Ragged(lengths))
    });
    let relative = Relative::Bias(Buckets::Halves { count: 8, furthest: 6 });
    let biased = case("attention of two sequences an example with a bias of relative positions", move |g| {
        let parts = ["q", "k", "v"].map(|name| tokens(g, name, &[4]));
        let table = weight(g, &[relative.buckets().count(), relative.columns(4, 2)]);
        let lengths = lengths(g);
        let op = Attention { relative: Some(relative), ..plain };
        g.relative_attention(op, parts, &[table], Sequences::Ragged(lengths))
    });
    let products = case("products of two sequences' means", |g| {
        let x = tokens(g, "x", &[3]);
        let lengths = lengths(g);
        let x = g.sequence_dropout(x, Sequences::Ragged(lengths), 0.4, 2)?;
        let means = g.sequence_pool(x, lengths, Pooling::Mean)?;
        let pairs = g.reshape(means, Shape::batch_of(&[2, 3]))?;
        let (first, second) = (g.slice(pairs, 1, 0, 1)?, g.slice(pairs, 1, 1, 1)?);
        g.mul(first, second)
    });
    [
        attention.lengths(&[3, 1, 4, 2]).batch(2).range(-1.0, 1.0),
        biased.lengths(&[3, 1, 4, 2]).batch(2).range(-1.0, 1.0),
        products.lengths(&[3, 1, 4, 2, 1, 1]).batch(3),
    ]
}

/// Keys and values before those of every sequence, and first rows of every sequence, one of which is shorter than they are.
fn virtual_tokens() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, dropout) in [("a prefix", None), ("a prefix, dropped", DROPOUT)] {
        let op = Attention { dropout, prefix: 3, ..Attention::new(2, 0.7) };
        let ragged = case(format!("attention with {name}"), move |g| {
            let parts = ["q", "k", "v"].map(|name| tokens(g, name, &[6]));
            let prefix = [weight(g, &[3, 6]), weight(g, &[3, 6])];
            let lengths = g.input("lengths", Shape::batch_of(&[]), DType::I32);
            g.prefixed_attention(op, parts, prefix, Sequences::Ragged(lengths))
        });
        cases.push(ragged.lengths(&[3, 1, 4]).range(-1.0, 1.0));
    }
    let prompted = case("the same first rows for every sequence", |g| {
        let (x, prompt) = (tokens(g, "x", &[3]), weight(g, &[2, 3]));
        let lengths = g.input("lengths", Shape::batch_of(&[]), DType::I32);
        g.sequence_prompt(x, prompt, lengths)
    });
    cases.push(prompted.lengths(&[3, 1, 4]));
    cases
}

/// Attention with relative positions, of distances that share buckets, and rotary positions.
fn relative() -> Vec<Case> {
    let (halves, centred) =
        (Buckets::Halves { count: 8, furthest: 6 }, Buckets::Centred { span: 3, furthest: Some(4) });
    let mut cases = Vec::new();
    for (name, reach, dropout, relative) in [
        ("a bias", Reach::All, DROPOUT, Relative::Bias(halves)),
        ("a bias in a window", Reach::Window(2), None, Relative::Bias(halves)),
        ("keys", Reach::All, None, Relative::Vectors { buckets: centred, keys: true, queries: false }),
        ("queries", Reach::All, None, Relative::Vectors { buckets: centred, keys: false, queries: true }),
        ("keys and queries", Reach::All, DROPOUT, Relative::Vectors { buckets: centred, keys: true, queries: true }),
        ("vectors, causal", Reach::Causal, None, Relative::Vectors { buckets: centred, keys: true, queries: true }),
    ] {
        let op = Attention { reach, dropout, relative: Some(relative), ..Attention::new(2, 0.7) };
        let ragged = case(format!("attention with {name} of relative positions"), move |g| {
            let parts = ["q", "k", "v"].map(|name| tokens(g, name, &[4]));
            let shape = [relative.buckets().count(), relative.columns(4, 2)];
            let tables: Vec<_> = (0..relative.tables()).map(|_| weight(g, &shape)).collect();
            let lengths = g.input("lengths", Shape::batch_of(&[]), DType::I32);
            g.relative_attention(op, parts, &tables, Sequences::Ragged(lengths))
        });
        cases.push(ragged.lengths(&[3, 1, 5]).range(-1.0, 1.0));
    }
    let rotary = case("rotary positions", |g| {
        let (x, positions) = (input(g, "x", &[8]), integers(g, "positions", &[]));
        g.rotary(x, positions, 4, 10.0)
    });
    cases.push(rotary.batch(4));
    cases
}

fn compositions() -> Vec<Case> {
    vec![
        case("self-attention", |g| {
            let (x, wq, wk) = (input(g, "x", &[3, 4]), weight(g, &[4, 4]), weight(g, &[4, 4]));
            let (q, k) = (g.linear(x, wq, None)?, g.linear(x, wk, None)?);
            let scores = g.matmul(q, k, false, true)?;
            let scores = g.affine(scores, 0.5, 0.0)?;
            let shares = g.softmax(scores)?;
            g.matmul(shares, x, false, false)
        }),
        case("gated recurrent steps", |g| {
            let (x, w, u) = (input(g, "x", &[3, 2]), weight(g, &[2, 3]), weight(g, &[3, 3]));
            let mut state = g.fill(Shape::batch_of(&[3]), 0.1);
            for step in 0..3 {
                let now = g.slice(x, 1, step, 1)?;
                let now = g.reshape(now, Shape::batch_of(&[2]))?;
                let (from_input, from_state) = (g.linear(now, w, None)?, g.linear(state, u, None)?);
                let sum = g.add(from_input, from_state)?;
                let (gate, value) = (g.activate(sum, Activation::Sigmoid)?, g.activate(sum, Activation::Tanh)?);
                state = g.mul(gate, value)?;
            }
            Ok(state)
        }),
        case("masked embedding", |g| {
            let (table, ids) = (weight(g, &[3, 4]), integers(g, "ids", &[5]));
            let rows = g.gather(table, ids)?;
            let mask = g.push(retune_graph::ops::Cast.into(), &[ids])?;
            let mask = g.reshape(mask, Shape::batch_of(&[5, 1]))?;
            g.mul(rows, mask)
        })
        .batch(3),
    ]
}
