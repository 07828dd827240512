//! Softmax, its logarithm, cross-entropy, and rows of a table.

use retune_graph::{DType, Role, Shape, WeightInfo};

use super::build::{Case, case, frozen, input, integers, rows, weight};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("softmax", |g| {
            let x = input(g, "x", &[2, 5]);
            g.softmax(x)
        }),
        case("softmax of one axis", |g| {
            let x = weight(g, &[5]);
            g.softmax(x)
        }),
        case("log softmax", |g| {
            let x = rows(g, "x", 3, &[4]);
            g.log_softmax(x)
        }),
        case("embedding", |g| {
            let (table, ids) = (weight(g, &[3, 4]), integers(g, "ids", &[5]));
            g.gather(table, ids)
        }),
        case("embedding of one id an example", |g| {
            let (table, ids) = (weight(g, &[3, 2]), integers(g, "ids", &[]));
            g.gather(table, ids)
        }),
        case("linear and cross-entropy to a mean", |g| {
            let (x, w, labels) = (input(g, "x", &[4]), weight(g, &[4, 3]), integers(g, "labels", &[]));
            let logits = g.linear(x, w, None)?;
            let loss = g.softmax_cross_entropy(logits, labels, 0.0)?;
            g.reduce_away(retune_graph::ops::reduce::Reduction::Mean, loss, &[0])
        }),
    ];
    for smoothing in [0.0, 0.1] {
        cases.push(case(format!("cross-entropy of indices, smoothing {smoothing}"), move |g| {
            let (x, labels) = (input(g, "x", &[2, 3]), integers(g, "labels", &[2]));
            g.softmax_cross_entropy(x, labels, smoothing)
        }));
        cases.push(case(format!("cross-entropy of probabilities, smoothing {smoothing}"), move |g| {
            // Targets are data, so they are a frozen weight here. Their sum is not 1, which the rule allows.
            let (x, targets) = (weight(g, &[2, 3]), frozen(g, &[2, 3]));
            g.softmax_cross_entropy(x, targets, smoothing)
        }));
    }
    cases.push(case("a statistic is data", |g| {
        let statistic =
            WeightInfo { name: "mean".into(), shape: Shape::fixed(&[3]), role: Role::Statistic, decays: false };
        let (x, (_, mean)) = (g.input("x", Shape::batch_of(&[3]), DType::F32), g.weight(statistic));
        let centred = g.sub(x, mean)?;
        g.mul(centred, x)
    }));
    cases
}
