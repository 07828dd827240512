//! Operations that Keras records between layers of functional models: masks computed from indices, and arithmetic written
//! with operators.

use retune_graph::NodeId;
use retune_graph::ops::Binary;

use super::super::calls::{Argument, Arguments};
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use crate::error::Result;

/// An operation; tensors and single numbers are its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// 1 where the operands differ, else 0.
    NotEqual,
    /// The tensor itself.
    ConvertToTensor,
    /// A function of pairs.
    Binary(Binary),
}

impl Operation {
    pub(crate) fn read(class: &str, f: &Fields<'_>) -> Result<Operation> {
        Ok(match class {
            "NotEqual" => Operation::NotEqual,
            "ConvertToTensor" => Operation::ConvertToTensor,
            "Add" => Operation::Binary(Binary::Add),
            "Subtract" => Operation::Binary(Binary::Sub),
            "Multiply" => Operation::Binary(Binary::Mul),
            "Divide" | "TrueDivide" => Operation::Binary(Binary::Div),
            "Maximum" | "LogicalOr" => Operation::Binary(Binary::Maximum),
            "Minimum" | "LogicalAnd" => Operation::Binary(Binary::Minimum),
            _ => {
                return Err(f.unsupported(
                    "this operation between layers",
                    "use the layer that does the same (Rescaling, Reshape, Add, …) and save the model again",
                ));
            }
        })
    }
}

impl Lower for Operation {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let like = arguments.all_tensors().first().map(|value| value.node);
        let like = like.ok_or_else(|| b.wrong_inputs("a tensor", "none"))?;
        let shape = b.graph.shape(like).clone();
        let mut operands: Vec<NodeId> = Vec::new();
        for argument in arguments.positional.iter().chain(arguments.named.iter().map(|(_, argument)| argument)) {
            match argument {
                Argument::Tensor(value) => operands.push(b.float(value.node)?),
                Argument::Constant(constant) => {
                    if let Some(number) = constant.as_f64() {
                        operands.push(b.graph.fill(shape.clone(), number as f32));
                    }
                }
                Argument::List(_) | Argument::Map(_) => return Err(b.wrong_inputs("tensors and numbers", "a list")),
            }
        }
        let node = match (self, operands.as_slice()) {
            (Operation::ConvertToTensor, [x]) => *x,
            (Operation::NotEqual, &[x, y]) => {
                let equal = b.graph.binary(Binary::Equal, x, y)?;
                b.graph.affine(equal, -1.0, 1.0)?
            }
            (Operation::Binary(op), &[x, y]) => b.graph.binary(*op, x, y)?,
            (_, other) => return Err(b.wrong_inputs("two operands", other.len().to_string())),
        };
        Ok(vec![node.into()])
    }
}
