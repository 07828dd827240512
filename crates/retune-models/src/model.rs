//! An architecture with its weights: load, save, build.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use retune_formats::keras::{KerasFile, KerasWeights, Layout};
use retune_graph::ops::sequence::Pooling;
use retune_graph::{DType, Shape};
use retune_tensor::{Key, Purpose, Tensor};
use serde_json::Value;

use crate::adapters::{self, Adapter};
use crate::error::{ModelError, Result};
use crate::keras::layers::Layer;
use crate::keras::lowering::{Declared, LayerShape, Lowering, Value as Node, WeightKind};
use crate::keras::{KerasModel, Kind, assign, upgrade::upgrade};
use crate::network::{Mode, Network, NetworkInput, NetworkOutput};
use crate::report::{LoadReport, Note};
use crate::torch::builder::Builder;
use crate::torch::layout::TorchLayout;
use crate::torch::task::Task;
use crate::torch::{self, TorchModel};
use crate::weight::Weight;

/// What is tried for sizes that a description leaves open, until every layer fits: weights do not depend on them.
const TRIAL_SIZES: &[usize] = &[32, 128, 331, 8, 1];

/// A network: an architecture and its weights.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) architecture: Architecture,
    /// The weights, layer by layer from input to output. Their order and names do not change while the architecture stays.
    pub weights: Vec<Weight>,
    /// What travels with the weights: preprocessing and class names, as the file's `retune` entry holds them.
    pub metadata: Option<Value>,
    pub(crate) adapters: Vec<Adapter>,
    /// The card to write in place of the base's own.
    pub(crate) card: Option<String>,
    pub(crate) shapes: Vec<LayerShape>,
    /// Inputs that are declared as floating-point but hold indices.
    pub(crate) integer_inputs: BTreeSet<String>,
}

/// The kinds of architectures.
#[derive(Debug, Clone)]
pub(crate) enum Architecture {
    /// Layers of Keras.
    Keras(Box<KerasModel>),
    /// A network with PyTorch's names.
    Torch(Box<TorchModel>),
}

impl Architecture {
    /// The layers of Keras, for `what` only they can do.
    pub(crate) fn keras(&self, what: &'static str) -> Result<&KerasModel> {
        match self {
            Architecture::Keras(model) => Ok(model),
            Architecture::Torch(_) => Err(ModelError::WrongKind { what, hint: ONLY_KERAS }),
        }
    }
}

const ONLY_KERAS: &str = "models of Keras alone can do this; a model folder gets a new head by a new task";

/// One layer, for listing.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerSummary {
    /// Path: names of the models around the layer and its own, joined by `/`.
    pub path: String,
    /// The layer's class.
    pub class: String,
    /// Shape of its first output at its first call, if it has one; sizes that the description leaves open are those that
    /// were tried.
    pub shape: Option<Shape>,
    /// Number of values of its weights, those of layers inside it among them.
    pub parameters: usize,
    /// Number of these that training changes.
    pub trainable_parameters: usize,
    /// Whether the layer and every model around it are trainable.
    pub trainable: bool,
    /// Number of models around it, the outermost not counted.
    pub depth: usize,
}

impl Model {
    /// Reads a whole model: `.keras`, `.h5` or `.hdf5` of Keras 1, 2 or 3, or a folder with `config.json` and weights as Hugging
    /// Face's transformers or timm writes it, or a file of weights alone (`.pth`, `.pt`, `.th`, `.bin`, `.safetensors`) of a
    /// network that is recognized by its tensors, or a folder of adapters, whose base is where it says. What is lacking of a head is
    /// drawn anew.
    ///
    /// # Errors
    /// If the file is damaged, has no description of a network, a layer or architecture is not supported, or not every weight
    /// of the model and tensor of the file find each other ([`ModelError::Weights`] with the report).
    pub fn load(path: impl AsRef<Path>) -> Result<(Model, LoadReport)> {
        let path = path.as_ref();
        if adapters::folder::is_one(path) {
            return adapters::folder::load(path);
        }
        if path.is_dir() {
            return torch::files::load(path, 0);
        }
        if torch::weights_file::is_one(path) {
            return torch::weights_file::load(path, 0);
        }
        let file = KerasFile::read(path)?;
        Model::from_file(file)?.ok_or_else(|| ModelError::NoDescription { path: path.to_owned() })
    }

    /// The same from a file already read; `None` if it has no description of a network.
    ///
    /// # Errors
    /// As for [`Model::load`].
    pub fn from_file(file: KerasFile) -> Result<Option<(Model, LoadReport)>> {
        let Some(description) = &file.config else { return Ok(None) };
        let (mut model, notes) = Model::described(description, file.keras_version.as_deref(), &mut |declared, _| {
            Tensor::zeros(declared.shape.clone())
        })?;
        model.metadata = file.retune;
        let mut report = model.assign(file.weights)?;
        report.notes = notes;
        Ok(Some((model, report)))
    }

    /// A model with fresh weights from a Keras description, `{"class_name": …, "config": …}` of any version of Keras.
    ///
    /// `version` is the Keras that wrote it, if known. Weights follow from `seed`: weight `i` is drawn from the stream
    /// `Key::new(seed).with(Purpose::Init(i))`.
    ///
    /// # Errors
    /// If the description is damaged or a layer is not supported.
    pub fn from_description(description: &Value, version: Option<&str>, seed: u64) -> Result<(Model, Vec<Note>)> {
        Model::described(description, version, &mut |declared, index| fresh(declared, index, seed))
    }

    pub(crate) fn of(architecture: Architecture, weights: Vec<Weight>, metadata: Option<Value>) -> Model {
        Model {
            architecture,
            weights,
            metadata,
            adapters: Vec::new(),
            card: None,
            shapes: Vec::new(),
            integer_inputs: BTreeSet::new(),
        }
    }

    fn described(
        description: &Value,
        version: Option<&str>,
        value: &mut dyn FnMut(&Declared, usize) -> Tensor,
    ) -> Result<(Model, Vec<Note>)> {
        let notes = RefCell::default();
        let keras = KerasModel::read(&upgrade(description, version), &notes)?;
        let mut model = Model::of(Architecture::Keras(Box::new(keras)), Vec::new(), None);
        model.collect(value)?;
        let mut notes = notes.into_inner();
        notes.dedup();
        Ok((model, notes))
    }

    /// Finds out anew which weights the architecture has; those that `value` makes may keep earlier values.
    pub(crate) fn collect(&mut self, value: &mut dyn FnMut(&Declared, usize) -> Tensor) -> Result<()> {
        let (declared, shapes) = self.collecting_pass()?;
        self.shapes = shapes;
        self.weights = declared
            .iter()
            .enumerate()
            .map(|(index, declared)| Weight {
                name: declared.name.clone(),
                value: value(declared, index),
                trainable: declared.trainable && matches!(declared.kind, WeightKind::Kernel | WeightKind::NoDecay),
                decays: declared.kind == WeightKind::Kernel,
                statistic: declared.trainable && declared.kind == WeightKind::Statistic,
                regularizer: declared.options.regularizer,
                constraint: declared.options.constraint.clone(),
                group: 0,
                layer: declared.layer.clone(),
                class: "",
                keras_path: declared.keras_path.clone(),
                torch_layout: TorchLayout::Same,
                initializer: declared.options.initializer,
                integer: declared.kind == WeightKind::FixedInteger,
            })
            .collect();
        Ok(())
    }

    fn collecting_pass(&mut self) -> Result<(Vec<Declared>, Vec<LayerShape>)> {
        let mut first_error = None;
        for &trial in TRIAL_SIZES {
            loop {
                let keras = self.architecture.keras("collecting weights of layers")?;
                let mut lowering = Lowering::collecting(&self.integer_inputs);
                let shapes = input_shapes(keras, None, Some(trial))?;
                let open = shapes.iter().any(|input| input.was_open);
                let inputs: Vec<Node> =
                    shapes.iter().map(|input| lowering.input(&input.name, &input.shape, input.dtype).into()).collect();
                let result = keras.lower(&mut lowering, &inputs);
                let found = std::mem::take(&mut lowering.found_integer_inputs);
                if found.iter().any(|name| !self.integer_inputs.contains(name)) {
                    drop(lowering);
                    self.integer_inputs.extend(found);
                    continue;
                }
                match result {
                    Ok(_) => return Ok(lowering.collected()),
                    Err(error) if open => {
                        first_error.get_or_insert(error);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(first_error.unwrap_or(ModelError::UnknownSize { input: String::new(), shape: String::new() }))
    }

    /// Gives the weights the values in a file: of a whole model, `.weights.h5`, or weights-only `.h5`.
    ///
    /// # Errors
    /// If the file is damaged, or not every weight and tensor find each other; the model is then unchanged.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<LoadReport> {
        let file = KerasFile::read(path)?;
        self.assign(file.weights)
    }

    fn assign(&mut self, values: KerasWeights) -> Result<LoadReport> {
        let mut weights = self.weights.clone();
        let report = assign::assign(self.architecture.keras("loading a file of weights")?, &mut weights, values);
        if !report.is_complete() {
            return Err(ModelError::Weights(Box::new(report)));
        }
        self.weights = weights;
        Ok(report)
    }

    /// Writes the model. The extension says how: `.keras`, `.h5`/`.hdf5` (a whole model as Keras 2 had it, which Keras 3
    /// reads), or `.weights.h5` (weights only). A file of that name is replaced when all is written. A model of a folder is
    /// written as a folder, which may replace another model's, but nothing else; weights that were read from a file of their
    /// own are written as `.pth` (`.pt`, `.th`, `.bin`) or `.safetensors`, with preprocessing and labels in a file
    /// `….retune.json` beside them. Adapters are merged; [`Model::save_adapter`] writes them alone.
    ///
    /// # Errors
    /// If the extension is none of these, the file cannot be written, or Keras 3 cannot express the model.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if !self.adapters.is_empty() {
            return self.merged()?.save(path);
        }
        if let Architecture::Torch(torch) = &self.architecture {
            return torch::files::save(torch, self, path);
        }
        let layout = layout(path).ok_or_else(|| ModelError::Extension { path: path.to_owned() })?;
        self.to_file(layout)?.write(path)?;
        Ok(())
    }

    /// The contents of the file that [`Model::save`] writes in this layout.
    ///
    /// # Errors
    /// If Keras 3 cannot express the model.
    pub fn to_file(&self, layout: Layout) -> Result<KerasFile> {
        let keras = self.architecture.keras("writing a file of Keras")?;
        let whole = matches!(layout, Layout::Archive | Layout::LegacyModel);
        if let Some(layer) = keras.find_inexpressible().filter(|_| whole) {
            return Err(ModelError::Unsupported {
                layer,
                class: "hard_sigmoid".to_owned(),
                what: "writing the `hard_sigmoid` of Keras 1 and 2, which Keras 3 defines otherwise,".to_owned(),
                hint: "save the weights alone as `.weights.h5`, or replace the activation by `sigmoid` in the model's \
                       description before fine-tuning"
                    .to_owned(),
            });
        }
        let weights = match layout {
            Layout::Archive | Layout::Weights => KerasWeights::Paths(assign::to_paths(keras, &self.weights)),
            Layout::LegacyModel | Layout::LegacyWeights => {
                KerasWeights::Legacy(assign::to_legacy(keras, &self.weights))
            }
        };
        let mut file = KerasFile::new(layout, weights);
        file.config = whole.then(|| keras.describe());
        file.retune = self.metadata.clone();
        Ok(file)
    }

    /// The model's description: as Keras 3 writes it, or `config.json`.
    pub fn description(&self) -> Value {
        match &self.architecture {
            Architecture::Keras(model) => model.describe(),
            Architecture::Torch(model) => model.config.clone(),
        }
    }

    /// The model's name; for model folders that of the architecture.
    pub fn name(&self) -> &str {
        match &self.architecture {
            Architecture::Keras(model) => &model.name,
            Architecture::Torch(model) => model.family.name(),
        }
    }

    /// A model with fresh weights from a `config.json` of transformers; weights follow from `seed` as for
    /// [`Model::from_description`].
    ///
    /// # Errors
    /// If the configuration is damaged or the architecture is not supported.
    pub fn from_config(config: &Value, seed: u64) -> Result<Model> {
        let torch = torch::files::described(config)?;
        let metadata = torch.family.metadata();
        let model = Model::of(Architecture::Torch(Box::new(torch)), Vec::new(), metadata);
        model.with_fresh_weights(seed)
    }

    /// This architecture with fresh weights that follow from `seed`, for training from scratch.
    ///
    /// # Errors
    /// If the architecture cannot be built.
    pub fn with_fresh_weights(&self, seed: u64) -> Result<Model> {
        match &self.architecture {
            Architecture::Keras(model) => Ok(Model::from_description(&model.describe(), None, seed)?.0),
            Architecture::Torch(model) => {
                let fresh = |(index, declared)| torch::files::fresh(declared, index, seed);
                let weights = model.declared()?.into_iter().enumerate().map(fresh).collect();
                Ok(Model::of(self.architecture.clone(), weights, self.metadata.clone()))
            }
        }
    }

    /// What the model is for; `None` for models of Keras, whose layers say it.
    pub fn task(&self) -> Option<&Task> {
        match &self.architecture {
            Architecture::Keras(_) => None,
            Architecture::Torch(model) => Some(&model.task),
        }
    }

    /// How a classifier of texts makes one row of a text's tokens, which a product gives the scores of. `None`: the architecture's
    /// own head, such as BERT's pooler of the first token; also for models that take no texts. The default of a model folder is
    /// the pooling module of sentence-transformers, where it has one.
    pub fn pooling(&self) -> Option<Pooling> {
        match &self.architecture {
            Architecture::Keras(_) => None,
            Architecture::Torch(model) => model.pooling,
        }
    }

    /// The contents of the model's `tokenizer.json`, if it has one.
    pub fn tokenizer(&self) -> Option<&[u8]> {
        match &self.architecture {
            Architecture::Keras(_) => None,
            Architecture::Torch(model) => {
                model.companions.iter().find(|(name, _)| name == "tokenizer.json").map(|(_, bytes)| bytes.as_slice())
            }
        }
    }

    /// The most tokens that the model takes of one text. Virtual tokens of adapters are not the text's.
    pub fn max_tokens(&self) -> Option<usize> {
        match &self.architecture {
            Architecture::Keras(_) => None,
            Architecture::Torch(model) => {
                model.family.max_tokens().map(|most| most.saturating_sub(self.taken_places()))
            }
        }
    }

    /// The graph for training or inference.
    ///
    /// `input_shapes` gives the shape of one example for each input, without the batch; `None` for a size takes the
    /// model's own. It is needed where the model leaves sizes open.
    ///
    /// # Errors
    /// If a size is not known, or shapes do not fit; the message names the layer.
    pub fn build(&self, mode: Mode, input_shapes: Option<&[Vec<Option<usize>>]>) -> Result<Network> {
        let keras = match &self.architecture {
            Architecture::Keras(keras) => keras,
            Architecture::Torch(torch) => return self.build_torch(torch, mode, input_shapes),
        };
        let mut lowering = Lowering::with_weights(mode, &self.weights, &self.integer_inputs);
        let mut inputs = Vec::new();
        let mut values: Vec<Node> = Vec::new();
        for input in self::input_shapes(keras, input_shapes, None)? {
            let node = lowering.input(&input.name, &input.shape, input.dtype);
            let (shape, dtype) = (lowering.graph.shape(node).clone(), lowering.graph.node(node).dtype);
            inputs.push(NetworkInput { name: input.name, node, shape, dtype });
            values.push(node.into());
        }
        let outputs = keras.lower(&mut lowering, &values)?;
        let names = output_names(keras, outputs.len());
        let (graph, updates) = lowering.finish();
        let outputs =
            outputs.iter().zip(names).map(|(output, name)| NetworkOutput::new(&graph, name, output.node)).collect();
        adapters::attach(self, Network { graph, inputs, outputs, updates }, mode)
    }

    fn build_torch(
        &self,
        torch: &TorchModel,
        mode: Mode,
        input_shapes: Option<&[Vec<Option<usize>>]>,
    ) -> Result<Network> {
        let mut builder = Builder::with_weights(mode, &self.weights);
        let given = match input_shapes.and_then(|shapes| shapes.first()).map(Vec::as_slice) {
            Some(&[Some(height), Some(width), _]) => Some([height, width]),
            _ => self.stored_image_size(),
        };
        let lowered = torch.lower(&mut builder, given)?;
        let (graph, inputs) = builder.finish();
        let outputs = lowered.outputs.into_iter().map(|(name, node)| NetworkOutput::new(&graph, name, node)).collect();
        adapters::attach(self, Network { graph, inputs, outputs, updates: lowered.updates }, mode)
    }

    /// Height and width to which the stored preprocessing brings images.
    fn stored_image_size(&self) -> Option<[usize; 2]> {
        let resize = self.metadata.as_ref()?.get("preprocessing")?.get("resize")?;
        let side = |key: &str| resize.get(key)?.as_u64().and_then(|side| usize::try_from(side).ok());
        Some([side("height")?, side("width")?])
    }

    /// Every layer, each model before the layers inside it.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut list = Vec::new();
        match &self.architecture {
            Architecture::Keras(keras) => self.summarize(keras, "", true, 0, &mut list),
            Architecture::Torch(_) => list = torch::surgery::layers(self),
        }
        list
    }

    fn summarize(&self, model: &KerasModel, path: &str, trainable: bool, depth: usize, list: &mut Vec<LayerSummary>) {
        for node in &model.layers {
            let path = crate::keras::config::join(path, &node.name);
            let trainable = trainable && node.trainable;
            let inside = format!("{path}/");
            let count = |only_trainable: bool| {
                let own = self.weights.iter().filter(|w| w.layer == path || w.layer.starts_with(&inside));
                own.filter(|w| w.trainable || !only_trainable).map(|w| w.value.len()).sum()
            };
            list.push(LayerSummary {
                class: node.class.clone(),
                shape: self.shapes.iter().find(|shape| shape.layer == path).map(|shape| shape.shape.clone()),
                parameters: count(false),
                trainable_parameters: count(true),
                trainable,
                depth,
                path: path.clone(),
            });
            if let Layer::Model(inner) = &node.layer {
                self.summarize(inner, &path, trainable, depth + 1, list);
            }
        }
    }
}

/// A fresh value of weight number `index`.
pub(crate) fn fresh(declared: &Declared, index: usize, seed: u64) -> Tensor {
    let stream = u32::try_from(index).unwrap_or(u32::MAX);
    declared.options.initializer.tensor(&declared.shape, Key::new(seed).with(Purpose::Init(stream)))
}

fn layout(path: &Path) -> Option<Layout> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    if name.ends_with(".weights.h5") {
        Some(Layout::Weights)
    } else if name.ends_with(".keras") {
        Some(Layout::Archive)
    } else if name.ends_with(".h5") || name.ends_with(".hdf5") {
        Some(Layout::LegacyModel)
    } else {
        None
    }
}

/// An input of a model.
struct InputShape {
    name: String,
    /// Without the batch.
    shape: Vec<usize>,
    dtype: DType,
    /// Whether the description leaves a size open.
    was_open: bool,
}

/// What the model's inputs are declared as: name, shape without the batch, type.
pub(crate) type DeclaredInput = (String, Vec<Option<usize>>, DType);

pub(crate) fn declared_inputs(model: &KerasModel) -> Vec<DeclaredInput> {
    let of = |index: usize| match &model.layers[index].layer {
        Layer::Input(input) => Some((model.layers[index].name.clone(), input.shape.clone(), input.dtype)),
        _ => None,
    };
    match model.kind {
        Kind::Functional => model.inputs.tensors().iter().filter_map(|reference| of(reference.layer)).collect(),
        Kind::Sequential => match model.layers.first().map(|first| &first.layer) {
            Some(Layer::Input(_)) => of(0).into_iter().collect(),
            Some(Layer::Model(inner)) => declared_inputs(inner),
            _ => model
                .build_input_shape
                .iter()
                .map(|shape| ("input".to_owned(), shape.get(1..).unwrap_or_default().to_vec(), DType::F32))
                .collect(),
        },
    }
}

/// The inputs with all sizes: the caller's, else the model's own, else `open`.
fn input_shapes(
    model: &KerasModel,
    given: Option<&[Vec<Option<usize>>]>,
    open: Option<usize>,
) -> Result<Vec<InputShape>> {
    let mut declared = declared_inputs(model);
    if declared.is_empty()
        && let Some([shape]) = given
    {
        declared.push(("input".to_owned(), shape.clone(), DType::F32));
    }
    if declared.is_empty() {
        return Err(ModelError::UnknownSize { input: model.name.clone(), shape: "[…]".to_owned() });
    }
    declared
        .into_iter()
        .enumerate()
        .map(|(index, (name, own, dtype))| {
            let given = given.and_then(|shapes| shapes.get(index)).filter(|shape| shape.len() == own.len());
            let sizes: Vec<Option<usize>> = match given {
                Some(given) => given.iter().zip(&own).map(|(given, own)| given.or(*own)).collect(),
                None => own.clone(),
            };
            let shape: Option<Vec<usize>> = sizes.iter().map(|size| size.or(open)).collect();
            let was_open = sizes.iter().any(Option::is_none);
            match shape {
                Some(shape) => Ok(InputShape { name, shape, dtype, was_open }),
                None => {
                    let shown: Vec<String> =
                        sizes.iter().map(|size| size.map_or("?".to_owned(), |size| size.to_string())).collect();
                    Err(ModelError::UnknownSize { input: name, shape: format!("[{}]", shown.join(", ")) })
                }
            }
        })
        .collect()
}

/// Names of the outputs: those of the layers that make them, numbered where one layer makes several.
fn output_names(model: &KerasModel, count: usize) -> Vec<String> {
    let mut names: Vec<String> = match model.kind {
        Kind::Functional => model.outputs.tensors().iter().map(|r| model.layers[r.layer].name.clone()).collect(),
        Kind::Sequential => {
            let last = model.layers.last().map_or("output", |layer| layer.name.as_str());
            vec![last.to_owned(); count]
        }
    };
    for index in 0..names.len() {
        let earlier = names[..index].iter().filter(|name| **name == names[index]).count();
        if earlier > 0 {
            names[index] = format!("{}_{earlier}", names[index]);
        }
    }
    names
}
