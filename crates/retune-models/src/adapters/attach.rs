//! Adapters into graphs.

use retune_graph::WeightId;
use retune_graph::passes::{Adaptation, Term, adapt};

use super::{Adapter, AdapterKind};
use crate::error::Result;
use crate::model::Model;
use crate::network::{Mode, Network};

/// Streams of random numbers of adapters begin here: beyond those of any network.
const FIRST_STREAM: u32 = 1 << 24;

/// The network with the terms of the model's adapters.
pub(crate) fn attach(model: &Model, network: Network, mode: Mode) -> Result<Network> {
    // Virtual tokens are in the network as it was built.
    if model.adapters().iter().all(|adapter| !is_term(&adapter.kind)) {
        return Ok(network);
    }
    let id = |name: &str| {
        let index = model.weights.iter().position(|weight| weight.name == name);
        WeightId(index.expect("adapters name weights of their model"))
    };
    let streams = FIRST_STREAM..;
    let adaptations: Vec<Adaptation> = model
        .adapters()
        .iter()
        .zip(streams)
        .filter(|(adapter, _)| is_term(&adapter.kind))
        .map(|(adapter, stream)| Adaptation { target: id(&adapter.target), term: term(adapter, mode, stream, id) })
        .collect();
    let lengths = network.inputs.iter().find(|input| input.name == "lengths").map(|input| input.node);
    let adapted = adapt(&network.graph, &network.nodes(), &adaptations, lengths)?;
    let mut network = network;
    network.renumber(|node| adapted.id(node));
    network.graph = adapted.graph;
    Ok(network)
}

/// Whether an adapter is a term beside products.
fn is_term(kind: &AdapterKind) -> bool {
    !matches!(kind, AdapterKind::Prompt { .. } | AdapterKind::Prefix { .. })
}

fn term(adapter: &Adapter, mode: Mode, stream: u32, id: impl Fn(&str) -> WeightId) -> Term {
    let weight = |index: usize| id(&adapter.weights[index]);
    match adapter.kind {
        AdapterKind::LowRank { dropout, decomposed, .. } => Term::LowRank {
            down: weight(0),
            up: weight(1),
            scale: adapter.kind.scale(),
            dropout: (mode == Mode::Training && dropout > 0.0).then_some((dropout, stream)),
            magnitude: decomposed.then(|| weight(2)),
        },
        AdapterKind::ScaleOutput => Term::ScaleOutput { factors: weight(0) },
        AdapterKind::ScaleInput => Term::ScaleInput { factors: weight(0) },
        AdapterKind::Bottleneck { activation, .. } => {
            Term::Bottleneck { down: weight(0), down_bias: weight(1), up: weight(2), up_bias: weight(3), activation }
        }
        AdapterKind::Prompt { .. } | AdapterKind::Prefix { .. } => {
            unreachable!("virtual tokens are terms of no product")
        }
    }
}
