//! Rebuilds a graph node by node.

use crate::error::GraphError;
use crate::graph::{Graph, Node, NodeId};

/// A rewritten graph, and where each old node went (`None` for nodes that were left out).
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// The new graph.
    pub graph: Graph,
    map: Vec<Option<NodeId>>,
}

impl Rewritten {
    /// The new id of an old node that the outputs depend on.
    ///
    /// # Panics
    /// If no output depended on the node.
    pub fn id(&self, old: NodeId) -> NodeId {
        self.map[old.0].expect("only nodes that an output depends on are looked up")
    }

    /// The new id of an old node, if it is still there.
    pub fn get(&self, old: NodeId) -> Option<NodeId> {
        self.map[old.0]
    }
}

/// Copies what `outputs` depend on, asking `replace(new graph, old id, old node, new inputs)` about each node with inputs
/// for its replacement; `None` copies it.
pub fn rewrite(
    old: &Graph,
    outputs: &[NodeId],
    mut replace: impl FnMut(&mut Graph, NodeId, &Node, &[NodeId]) -> Result<Option<NodeId>, GraphError>,
) -> Result<Rewritten, GraphError> {
    let reached = old.reachable(outputs);
    let mut graph = Graph::like(old);
    let mut map: Vec<Option<NodeId>> = vec![None; old.nodes().len()];
    for id in old.ids().filter(|id| reached[id.0]) {
        let node = old.node(id);
        let inputs: Vec<NodeId> =
            node.inputs.iter().map(|i| map[i.0].expect("inputs come before their users")).collect();
        graph.set_layer(node.layer);
        map[id.0] = Some(match replace(&mut graph, id, node, &inputs)? {
            Some(new) => new,
            None => graph.append(Node { inputs, ..node.clone() }),
        });
    }
    graph.set_layer(0);
    Ok(Rewritten { graph, map })
}

/// How many users each node has, outputs counted as one.
pub fn use_counts(graph: &Graph, outputs: &[NodeId]) -> Vec<usize> {
    let reached = graph.reachable(outputs);
    let mut counts = vec![0; graph.nodes().len()];
    for output in outputs {
        counts[output.0] += 1;
    }
    for (id, node) in graph.nodes().iter().enumerate() {
        if reached[id] {
            for input in &node.inputs {
                counts[input.0] += 1;
            }
        }
    }
    counts
}
