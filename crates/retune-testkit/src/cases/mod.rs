//! Small graphs that together hold every operation at many settings of its attributes: strides, padding, dilation, groups,
//! broadcasting, rows flattened into the batch. Gradient rules are checked on them by finite differences; an engine is
//! checked by running them, gradients included ([`differentiate`](crate::gradient_check::differentiate)), beside
//! [`interpret`](crate::interpret).
//!
//! | file | graphs of |
//! | --- | --- |
//! | `augment` | random changes of images |
//! | `build` | [`Case`], and short names for building one |
//! | `activation` | activation functions, also fused into products and convolutions |
//! | `attention` | compositions in which values are used more than once |
//! | `convolution` | convolutions, transposed and depthwise ones |
//! | `elementwise` | functions of values and pairs |
//! | `layout` | operations that move values |
//! | `loss` | softmax, cross-entropy, rows of a table |
//! | `network` | tiny networks from the input to the loss |
//! | `norms` | batch and layer normalization |
//! | `pooling` | pooling over windows |
//! | `products` | matrix products |
//! | `random` | dropout and noise |
//! | `reduce` | reductions and broadcasting |
//! | `resize` | resizing of images |

mod activation;
mod attention;
mod augment;
mod build;
mod convolution;
mod elementwise;
mod layout;
mod loss;
mod network;
mod norms;
mod pooling;
mod products;
mod random;
mod reduce;
mod resize;

pub use activation::settings as activation_settings;
pub use build::{Built, Case, frozen, input, integers, rows, tokens, weight};
pub use network::image_classifier;

/// The cases of a family.
pub type Family = fn() -> Vec<Case>;

/// Every family whose gradients are defined, by name.
pub const FAMILIES: &[(&str, Family)] = &[
    ("activation", activation::cases),
    ("attention", attention::cases),
    ("convolution", convolution::cases),
    ("elementwise", elementwise::cases),
    ("layout", layout::cases),
    ("loss", loss::cases),
    ("network", network::cases),
    ("norms", norms::cases),
    ("pooling", pooling::cases),
    ("products", products::cases),
    ("random", random::cases),
    ("reduce", reduce::cases),
    ("resize", resize::cases),
];

/// Graphs of operations that have no gradient.
pub fn without_gradient() -> Vec<Case> {
    let detached = build::case("a constant made of an input", |g| {
        let x = input(g, "x", &[3]);
        let constant = g.detach(x)?;
        g.mul(constant, x)
    });
    augment::cases().into_iter().chain([detached]).collect()
}

/// Every case of every family of [`FAMILIES`].
pub fn all() -> Vec<Case> {
    FAMILIES.iter().flat_map(|(_, cases)| cases()).collect()
}
