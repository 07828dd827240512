//! The readable form of a graph: one node a line.

use std::fmt;

use crate::graph::Graph;
use crate::ops::Op;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layer = 0;
        for (index, node) in self.nodes().iter().enumerate() {
            if node.layer != layer {
                layer = node.layer;
                writeln!(f, "# {}", self.layer_name(layer))?;
            }
            write!(f, "%{index}: {}{} = ", node.dtype, node.shape)?;
            match &node.op {
                Op::Weight(id) => {
                    let info = self.weight_info(*id);
                    writeln!(f, "weight `{}` {:?}", info.name, info.role)?;
                }
                Op::Input(name) => writeln!(f, "input `{name}`")?,
                op => {
                    write!(f, "{}(", op.name())?;
                    for (i, input) in node.inputs.iter().enumerate() {
                        write!(f, "{}%{}", if i == 0 { "" } else { ", " }, input.0)?;
                    }
                    writeln!(f, ") {}", op.attributes())?;
                }
            }
        }
        Ok(())
    }
}
