//! Rescaling and Normalization: preprocessing that is part of the network.

use retune_graph::ops::{Binary, Unary};
use retune_graph::{NodeId, Shape};

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind, WeightSpec};
use super::Lower;
use super::dense::WeightOptions;
use crate::error::Result;
use crate::initializer::Initializer;

/// The constants `values` as a tensor `[values]`, or without axes if there is one.
fn constants(b: &mut Lowering<'_>, values: &[f32]) -> Result<NodeId> {
    if let [value] = values {
        return Ok(b.graph.fill(Shape::scalar(), *value));
    }
    let parts: Vec<NodeId> = values.iter().map(|&value| b.graph.fill(Shape::fixed(&[1]), value)).collect();
    Ok(b.graph.concat(&parts, 0)?)
}

/// `x · scale + offset`, numbers or one for each channel.
#[derive(Debug, Clone)]
pub(crate) struct Rescaling {
    scale: Vec<f32>,
    offset: Vec<f32>,
}

impl Rescaling {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Rescaling> {
        Ok(Rescaling { scale: f.numbers("scale", None)?, offset: f.numbers("offset", Some(0.0))? })
    }
}

impl Lower for Rescaling {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let y = match (&self.scale[..], &self.offset[..]) {
            (&[scale], &[offset]) => b.graph.affine(x, scale, offset)?,
            (scale, offset) => {
                let (scale, offset) = (constants(b, scale)?, constants(b, offset)?);
                let scaled = b.graph.mul(x, scale)?;
                b.graph.add(scaled, offset)?
            }
        };
        Ok(vec![y.into()])
    }
}

/// `(x − mean) / max(√variance, 1e-7)`, or with `invert` `mean + x · max(√variance, 1e-7)`; mean and variance for each index
/// along the kept axes, given as numbers or learned from data beforehand.
#[derive(Debug, Clone)]
pub(crate) struct Normalization {
    /// The kept axes; `None` for a single mean.
    axes: Vec<i64>,
    invert: bool,
    /// Mean and variance, if they are part of the description.
    given: Option<(Vec<f32>, Vec<f32>)>,
}

const EPSILON: f32 = 1e-7;

impl Normalization {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Normalization> {
        let given = match (f.get("mean"), f.get("variance")) {
            (Some(_), Some(_)) => Some((f.numbers("mean", None)?, f.numbers("variance", None)?)),
            (None, None) => None,
            _ => return Err(f.wrong("mean", "both mean and variance, or neither")),
        };
        let axes = match f.get("axis") {
            Some(_) => f.integers("axis", None)?,
            None => Vec::new(),
        };
        Ok(Normalization { axes, invert: f.flag("invert", false)?, given })
    }
}

impl Lower for Normalization {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let axes = b.axes(x, &self.axes)?;
        let rank = b.graph.shape(x).rank();
        let kept = axes.iter().map(|&axis| b.fixed(x, axis)).collect::<Result<Vec<usize>>>()?;
        let broadcast: Vec<usize> =
            (0..rank).map(|axis| if axes.contains(&axis) { b.fixed(x, axis) } else { Ok(1) }).collect::<Result<_>>()?;
        let [mean, variance] = match &self.given {
            None => {
                let mut weight = |name, shape: &[usize], initializer, kind| {
                    b.weight(WeightSpec { name, shape, options: &WeightOptions::plain(initializer), kind })
                };
                let mean = weight("mean", &kept, Initializer::ZEROS, WeightKind::Fixed)?;
                let variance = weight("variance", &kept, Initializer::ONES, WeightKind::Fixed)?;
                weight("count", &[], Initializer::ZEROS, WeightKind::FixedInteger)?;
                [mean, variance]
            }
            Some((mean, variance)) => {
                let mut nodes = [x; 2];
                for (node, values) in nodes.iter_mut().zip([mean, variance]) {
                    let values: Vec<f32> = match values.len() {
                        1 => vec![values[0]; kept.iter().product()],
                        _ => values.clone(),
                    };
                    if values.len() != kept.iter().product::<usize>() {
                        return Err(b.wrong_inputs(
                            format!("{} values along the kept axes", values.len()),
                            format!("{kept:?}"),
                        ));
                    }
                    *node = constants(b, &values)?;
                }
                nodes
            }
        };
        let (mean, variance) = (b.reshape_fixed(mean, &broadcast)?, b.reshape_fixed(variance, &broadcast)?);
        let deviation = b.graph.unary(Unary::Sqrt, variance)?;
        let least = b.graph.fill(Shape::fixed(&broadcast), EPSILON);
        let deviation = b.graph.binary(Binary::Maximum, deviation, least)?;
        let y = if self.invert {
            let scaled = b.graph.mul(x, deviation)?;
            b.graph.add(mean, scaled)?
        } else {
            let centred = b.graph.sub(x, mean)?;
            b.graph.div(centred, deviation)?
        };
        Ok(vec![y.into()])
    }
}
