//! Which layers of a model get adapters.

use retune_graph::Op;
use retune_graph::ops::Conv2d;

use crate::error::{ModelError, Result};
use crate::model::{Architecture, Model};
use crate::network::Mode;
use crate::report::nearest;
use crate::torch;
use crate::torch::structure::{ends_attention, ends_feed_forward};
use crate::weight::Weight;

/// Names every product but the head's.
pub(super) const ALL_LINEAR: &str = "all-linear";
/// Names every convolution that is not in groups.
const ALL_CONVOLUTIONS: &str = "all-convolutions";

/// Names every product that ends attention.
const ATTENTION_OUTPUTS: &str = "attention-outputs";
/// Names every product that ends a layer.
const FEED_FORWARD_OUTPUTS: &str = "feed-forward-outputs";

/// Whether a pattern names a layer: as [`Model::set_trainable`] takes it, or as the last parts of the name; behind `^` it is the whole name.
pub(super) fn names(pattern: &str, layer: &str) -> bool {
    if let Some(whole) = pattern.strip_prefix('^') {
        return layer == whole;
    }
    layer.strip_suffix(pattern).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '/']))
        || torch::surgery::matches(pattern, layer)
        || crate::surgery::matches(pattern, layer)
}

/// A weight that can have an adapter: its number, and what uses it.
#[derive(Clone, Copy)]
struct Candidate {
    weight: usize,
    is_convolution: bool,
    /// Whether its convolution is in groups.
    is_grouped: bool,
}

impl Model {
    /// The layers that get low-rank terms by default: those that the network's structure names, but for convolutions in groups, or
    /// for models of Keras all products and convolutions.
    pub fn lora_targets(&self) -> Vec<String> {
        let candidates = self.candidates(true);
        if let Some(structure) = self.structure() {
            let mut targets = structure.lora_targets;
            targets.retain(|target| {
                let named = |candidate: &Candidate| names(target, &self.weights[candidate.weight].layer);
                candidates.iter().any(|candidate| !candidate.is_grouped && named(candidate))
            });
            return targets;
        }
        let roles = [(ALL_LINEAR, false), (ALL_CONVOLUTIONS, true)];
        let is_there = |is_convolution: bool| {
            let head = self.products().last().map(|(head, _)| *head);
            candidates.iter().any(|c| c.is_convolution == is_convolution && !c.is_grouped && Some(c.weight) != head)
        };
        roles
            .into_iter()
            .filter(|(_, is_convolution)| is_there(*is_convolution))
            .map(|(role, _)| role.to_owned())
            .collect()
    }

    /// The layers that get bottlenecks by default: the products that end attention and those that end a layer, as roles; all products
    /// where the network has neither, and in models of Keras.
    pub fn bottleneck_targets(&self) -> Vec<String> {
        let (products, has_roles) = (self.products(), self.structure().is_some());
        let has = |ends: &dyn Fn(&str) -> bool| has_roles && products.iter().any(|(_, layer)| ends(layer));
        let roles = [(ATTENTION_OUTPUTS, has(&ends_attention)), (FEED_FORWARD_OUTPUTS, has(&ends_feed_forward))];
        let found: Vec<String> =
            roles.into_iter().filter(|(_, is_there)| *is_there).map(|(role, _)| role.to_owned()).collect();
        if found.is_empty() { vec![ALL_LINEAR.to_owned()] } else { found }
    }

    /// The weights that layers of products use, by the layer's path.
    pub(super) fn products(&self) -> Vec<(usize, &str)> {
        let is_product = |weight: &Weight| {
            weight.value.shape().len() == 2
                && match self.architecture {
                    Architecture::Keras(_) => weight.name.ends_with("/kernel"),
                    Architecture::Torch(_) => weight.class == "Linear",
                }
        };
        let all = self.weights.iter().enumerate().filter(|(_, weight)| is_product(weight));
        all.map(|(index, weight)| (index, weight.layer.as_str())).collect()
    }

    /// Products and, if asked for, convolutions, in the order of the model. The graph says which kernels are those of plain
    /// convolutions; where a model leaves sizes open there is none yet, and no convolution is found.
    fn candidates(&self, with_convolutions: bool) -> Vec<Candidate> {
        let product = |(weight, _): (usize, &str)| Candidate { weight, is_convolution: false, is_grouped: false };
        let mut candidates: Vec<Candidate> = self.products().into_iter().map(product).collect();
        let network = with_convolutions.then(|| self.build(Mode::Inference, None).ok()).flatten();
        for node in network.iter().flat_map(|network| network.graph.nodes()) {
            let (kernel, is_grouped) = match node.op {
                Op::Conv2d(Conv2d { groups, .. }) => (node.inputs[1], groups > 1),
                Op::DepthwiseConv2d(_) => (node.inputs[1], true),
                _ => continue,
            };
            let op = network.as_ref().map(|network| &network.graph.node(kernel).op);
            if let Some(&Op::Weight(id)) = op
                && !candidates.iter().any(|candidate| candidate.weight == id.0)
            {
                candidates.push(Candidate { weight: id.0, is_convolution: true, is_grouped });
            }
        }
        candidates.sort_by_key(|candidate| candidate.weight);
        candidates
    }

    /// The weights whose layer one of the patterns names, in the order of the model: patterns as for [`Model::set_trainable`], the
    /// last parts of a name (PEFT's rule), or a role. Convolutions in groups, depthwise ones among them, are passed over.
    ///
    /// # Errors
    /// If a pattern names none, or none but convolutions in groups.
    pub(super) fn targets(&self, patterns: &[String], with_convolutions: bool) -> Result<Vec<usize>> {
        let candidates = self.candidates(with_convolutions);
        let products = self.products();
        let is_head = |layer: &str| match &self.architecture {
            Architecture::Torch(torch) => torch.family.is_head(layer),
            Architecture::Keras(_) => products.last().is_some_and(|(_, last)| *last == layer),
        };
        let layer = |candidate: &Candidate| self.weights[candidate.weight].layer.as_str();
        let is_named = |pattern: &str, candidate: &Candidate| match pattern {
            ALL_LINEAR => !candidate.is_convolution && !is_head(layer(candidate)),
            ALL_CONVOLUTIONS => candidate.is_convolution && !is_head(layer(candidate)),
            ATTENTION_OUTPUTS => !candidate.is_convolution && ends_attention(layer(candidate)),
            FEED_FORWARD_OUTPUTS => !candidate.is_convolution && ends_feed_forward(layer(candidate)),
            _ => names(pattern, layer(candidate)),
        };
        for pattern in patterns {
            let mut named = candidates.iter().filter(|candidate| is_named(pattern, candidate)).peekable();
            let Some(&first) = named.peek() else {
                let nearest = nearest(pattern, candidates.iter().map(layer));
                return Err(ModelError::NoSuchLayer { pattern: pattern.clone(), nearest });
            };
            if named.all(|candidate| candidate.is_grouped) {
                return Err(ModelError::Surgery {
                    what: format!(
                        "`{}` is a convolution in groups, beside which there is no low-rank term",
                        layer(first)
                    ),
                    hint: "name the convolutions around it, or `all-convolutions`".to_owned(),
                });
            }
        }
        let is_target = |candidate: &&Candidate| {
            !candidate.is_grouped && patterns.iter().any(|pattern| is_named(pattern, candidate))
        };
        Ok(candidates.iter().filter(is_target).map(|candidate| candidate.weight).collect())
    }
}
