//! Every operation's gradient rule against finite differences, at several settings of its attributes.

mod activation;
mod attention;
mod convolution;
mod elementwise;
mod layout;
mod loss;
mod norms;
mod pooling;
mod products;
mod random;
mod reduce;
mod resize;

use crate::case::{Case, check_all};

pub use activation::settings;

macro_rules! families {
    ($($family:ident),* $(,)?) => {
        /// Every case of every family.
        pub fn all_cases() -> Vec<Case> {
            [$($family::cases()),*].into_iter().flatten().collect()
        }

        $(#[test]
        fn $family() {
            check_all($family::cases());
        })*
    };
}

families! {
    activation, attention, convolution, elementwise, layout, loss, norms, pooling, products, random, reduce, resize,
}
