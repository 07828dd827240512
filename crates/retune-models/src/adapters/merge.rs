//! Adapters into the weights of the base.

use retune_tensor::Tensor;

use super::{Adapter, AdapterKind};
use crate::error::{ModelError, Result};
use crate::model::Model;

impl Model {
    /// The same function without adapters: their terms are added to the weights of the base.
    ///
    /// # Errors
    /// If an adapter is a network of its own (a bottleneck) or virtual tokens (a prompt, a prefix), which no weight of the base can
    /// stand for; see [`AdapterKind::merges`].
    pub fn merged(&self) -> Result<Model> {
        if let Some(adapter) = self.adapters.iter().find(|adapter| !adapter.kind.merges()) {
            return Err(cannot_merge(adapter));
        }
        let mut model = self.clone();
        for adapter in std::mem::take(&mut model.adapters) {
            let value = |name: &str| &self.weights.iter().find(|weight| weight.name == name).expect("its own").value;
            let weights: Vec<&Tensor> = adapter.weights.iter().map(|name| value(name)).collect();
            let target = value(&adapter.target);
            let merged = merged(&adapter, target, &weights)?;
            let bias = scaled_bias(&adapter, self, &weights);
            for weight in &mut model.weights {
                if weight.name == adapter.target {
                    weight.value = merged.clone();
                } else if let Some((name, value)) = &bias
                    && weight.name == *name
                {
                    weight.value = value.clone();
                }
            }
            model.weights.retain(|weight| !adapter.weights.contains(&weight.name));
        }
        Ok(model)
    }
}

fn cannot_merge(adapter: &Adapter) -> ModelError {
    let what = match adapter.kind {
        AdapterKind::Prompt { .. } => "a prompt is tokens of its own and cannot be merged into the weights".to_owned(),
        AdapterKind::Prefix { .. } => {
            "a prefix is keys and values of its own and cannot be merged into the weights".to_owned()
        }
        _ => format!("the adapter of `{}` is a network of its own and cannot be merged", adapter.target),
    };
    ModelError::Surgery { what, hint: "save the adapter instead, or train with low-rank adapters".to_owned() }
}

/// `scale · down · up`, in the order of the weight's values.
pub(super) fn product(down: &Tensor, up: &Tensor, rank: usize, scale: f64) -> Vec<f64> {
    let (down, up) = (values(down), values(up));
    let (rows, columns) = (down.len() / rank.max(1), up.len() / rank.max(1));
    let mut product = vec![0.0; rows * columns];
    for (row, sum) in product.chunks_exact_mut(columns.max(1)).enumerate() {
        for r in 0..rank {
            let factor = scale * f64::from(down[row * rank + r]);
            let up = &up[r * columns..(r + 1) * columns];
            sum.iter_mut().zip(up).for_each(|(sum, up)| *sum += factor * f64::from(*up));
        }
    }
    product
}

pub(super) fn values(tensor: &Tensor) -> &[f32] {
    tensor.as_f32().expect("weights are f32")
}

fn merged(adapter: &Adapter, target: &Tensor, weights: &[&Tensor]) -> Result<Tensor> {
    // A kernel is a matrix whose rows are its taps of each channel.
    let columns = target.shape().last().copied().unwrap_or(1);
    let mut sum: Vec<f64> = values(target).iter().map(|&w| f64::from(w)).collect();
    match adapter.kind {
        AdapterKind::LowRank { rank, decomposed, .. } => {
            let term = product(weights[0], weights[1], rank, f64::from(adapter.kind.scale()));
            sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += term);
            if decomposed {
                let norms = norms(&sum, columns);
                let magnitude = values(weights[2]);
                for row in sum.chunks_exact_mut(columns) {
                    for (column, w) in row.iter_mut().enumerate() {
                        *w *= f64::from(magnitude[column]) / norms[column];
                    }
                }
            }
        }
        AdapterKind::ScaleOutput => {
            let factors = values(weights[0]);
            for row in sum.chunks_exact_mut(columns) {
                row.iter_mut().zip(factors).for_each(|(w, factor)| *w *= f64::from(*factor));
            }
        }
        AdapterKind::ScaleInput => {
            for (row, factor) in sum.chunks_exact_mut(columns).zip(values(weights[0])) {
                row.iter_mut().for_each(|w| *w *= f64::from(*factor));
            }
        }
        AdapterKind::Bottleneck { .. } | AdapterKind::Prompt { .. } | AdapterKind::Prefix { .. } => {
            return Err(cannot_merge(adapter));
        }
    }
    Ok(Tensor::new(target.shape(), sum.into_iter().map(|w| w as f32).collect::<Vec<f32>>())?)
}

/// Factors of the output hold for the bias too.
fn scaled_bias(adapter: &Adapter, model: &Model, weights: &[&Tensor]) -> Option<(String, Tensor)> {
    if adapter.kind != AdapterKind::ScaleOutput {
        return None;
    }
    let name = match adapter.target.rsplit_once(['.', '/']) {
        Some((layer, _)) => format!("{layer}{}bias", &adapter.target[layer.len()..=layer.len()]),
        None => return None,
    };
    let bias = model.weights.iter().find(|weight| weight.name == name)?;
    let scaled: Vec<f32> = values(&bias.value).iter().zip(values(weights[0])).map(|(b, factor)| b * factor).collect();
    Tensor::new(bias.value.shape(), scaled).ok().map(|value| (name, value))
}

fn norms(values: &[f64], columns: usize) -> Vec<f64> {
    let mut norms = vec![0.0; columns];
    for row in values.chunks_exact(columns) {
        norms.iter_mut().zip(row).for_each(|(norm, w)| *norm += w * w);
    }
    norms.iter_mut().for_each(|norm| *norm = norm.sqrt());
    norms
}

/// The length of each column of a matrix.
pub(super) fn column_norms(matrix: &Tensor) -> Tensor {
    let columns = matrix.shape()[1];
    let matrix: Vec<f64> = values(matrix).iter().map(|&w| f64::from(w)).collect();
    let norms: Vec<f32> = norms(&matrix, columns).into_iter().map(|norm| norm as f32).collect();
    Tensor::new([columns], norms).expect("one norm for each column")
}
