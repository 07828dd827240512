//! Names and shapes of a file, from which a network is recognized.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use retune_formats::Weights;

/// Names of tensors with their shapes in the file, in the file's order.
#[derive(Debug)]
pub(crate) struct Tensors(IndexMap<String, Vec<usize>>);

impl Tensors {
    pub(crate) fn of(file: &Weights) -> Tensors {
        let shape = |name: &str| file.info(name).map(|info| info.shape.clone()).unwrap_or_default();
        Tensors(file.names().map(|name| (name.to_owned(), shape(name))).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The shape of a tensor, if it has `N` axes.
    pub(crate) fn shape<const N: usize>(&self, name: &str) -> Option<[usize; N]> {
        self.0.get(name).and_then(|shape| <[usize; N]>::try_from(shape.as_slice()).ok())
    }

    /// The number of filters of a convolution or the outputs of a matrix.
    pub(crate) fn outputs(&self, layer: &str) -> Option<usize> {
        self.0.get(&format!("{layer}.weight")).and_then(|shape| shape.first().copied())
    }

    /// A convolution's kernel: `[out, in / groups, height, width]`.
    pub(crate) fn kernel(&self, layer: &str) -> Option<[usize; 4]> {
        self.shape(&format!("{layer}.weight"))
    }

    /// How many modules `prefix0`, `prefix1`, … follow one another.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        let number = |name: &String| name.strip_prefix(prefix)?.split_once('.')?.0.parse::<usize>().ok();
        let numbers: BTreeSet<usize> = self.0.keys().filter_map(number).collect();
        numbers.iter().enumerate().take_while(|(place, number)| place == *number).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_counted_up_to_the_first_gap() {
        let names = ["a.0.w", "a.1.x.w", "a.1.y.w", "a.10.w", "a.3.w", "b.w"];
        let tensors = Tensors(names.iter().map(|name| ((*name).to_owned(), vec![2, 3])).collect());
        assert_eq!(tensors.count("a."), 2);
        assert_eq!(tensors.count("b."), 0);
        assert_eq!(tensors.shape::<2>("b.w"), Some([2, 3]));
        assert_eq!(tensors.shape::<3>("b.w"), None);
    }
}
