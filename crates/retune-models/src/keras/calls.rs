//! Which layer is called on what.

use serde_json::{Map, Value, json};

/// Output number `tensor` of call number `call` of layer number `layer` of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct TensorRef {
    /// Index of the layer in [`super::KerasModel::layers`].
    pub(crate) layer: usize,
    /// Index of the call in [`super::LayerNode::calls`].
    pub(crate) call: usize,
    /// Index of the output.
    pub(crate) tensor: usize,
}

/// An argument of a call, a tensor being a `T`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument<T> {
    /// A tensor.
    Tensor(T),
    /// Several in order.
    List(Vec<Argument<T>>),
    /// Several by name.
    Map(Vec<(String, Argument<T>)>),
    /// A constant.
    Constant(Value),
}

impl<T> Argument<T> {
    /// Every tensor in it, in the order in which Keras flattens structures: maps by sorted name.
    pub(crate) fn tensors(&self) -> Vec<&T> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a T>) {
        match self {
            Argument::Tensor(tensor) => found.push(tensor),
            Argument::List(items) => items.iter().for_each(|item| item.collect(found)),
            Argument::Map(items) => {
                let mut sorted: Vec<_> = items.iter().collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                sorted.iter().for_each(|(_, item)| item.collect(found));
            }
            Argument::Constant(_) => {}
        }
    }

    /// The same structure over other tensors.
    pub(crate) fn map<U>(&self, f: &mut impl FnMut(&T) -> U) -> Argument<U> {
        match self {
            Argument::Tensor(tensor) => Argument::Tensor(f(tensor)),
            Argument::List(items) => Argument::List(items.iter().map(|item| item.map(f)).collect()),
            Argument::Map(items) => {
                Argument::Map(items.iter().map(|(name, item)| (name.clone(), item.map(f))).collect())
            }
            Argument::Constant(value) => Argument::Constant(value.clone()),
        }
    }

    /// As JSON, with `f` for the tensors.
    pub(crate) fn to_json(&self, f: &impl Fn(&T) -> Value) -> Value {
        match self {
            Argument::Tensor(tensor) => f(tensor),
            Argument::List(items) => items.iter().map(|item| item.to_json(f)).collect(),
            Argument::Map(items) => {
                Value::Object(items.iter().map(|(name, item)| (name.clone(), item.to_json(f))).collect())
            }
            Argument::Constant(value) => value.clone(),
        }
    }
}

/// The arguments of one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments<T> {
    /// Those given by position.
    pub(crate) positional: Vec<Argument<T>>,
    /// Those given by name.
    pub(crate) named: Vec<(String, Argument<T>)>,
}

impl<T> Arguments<T> {
    /// A call on tensors by position.
    pub(crate) fn on(tensors: impl IntoIterator<Item = T>) -> Arguments<T> {
        Arguments { positional: tensors.into_iter().map(Argument::Tensor).collect(), named: Vec::new() }
    }

    /// Every tensor given by position.
    pub(crate) fn tensors(&self) -> Vec<&T> {
        self.positional.iter().flat_map(Argument::tensors).collect()
    }

    /// Every tensor.
    pub(crate) fn all_tensors(&self) -> Vec<&T> {
        self.positional
            .iter()
            .chain(self.named.iter().map(|(_, argument)| argument))
            .flat_map(Argument::tensors)
            .collect()
    }

    /// The argument of this name, unless it is null.
    pub(crate) fn get(&self, name: &str) -> Option<&Argument<T>> {
        let found = self.named.iter().find(|(n, _)| n == name).map(|(_, argument)| argument);
        found.filter(|argument| !matches!(argument, Argument::Constant(Value::Null)))
    }

    /// Whether the argument of this name is the constant true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Argument::Constant(Value::Bool(true))))
    }

    /// The same arguments over other tensors.
    pub(crate) fn map<U>(&self, f: &mut impl FnMut(&T) -> U) -> Arguments<U> {
        Arguments {
            positional: self.positional.iter().map(|argument| argument.map(f)).collect(),
            named: self.named.iter().map(|(name, argument)| (name.clone(), argument.map(f))).collect(),
        }
    }

    /// As Keras 3 writes a node: `{"args": […], "kwargs": {…}}`.
    pub(crate) fn to_json(&self, f: &impl Fn(&T) -> Value) -> Value {
        let args: Vec<Value> = self.positional.iter().map(|argument| argument.to_json(f)).collect();
        let kwargs: Map<String, Value> =
            self.named.iter().map(|(name, argument)| (name.clone(), argument.to_json(f))).collect();
        json!({ "args": args, "kwargs": kwargs })
    }
}
