//! Fine-tune pretrained models: fast, accurately and honestly, without Python.
//!
//! Fine-tuning is seven steps. Here a network that was trained on photos of clothes learns handwritten digits:
//!
//! ```
//! use retune::data::preprocess::{Rescale, Resize};
//! use retune::data::{self, Preprocessing, SourceOptions};
//! use retune::models::keras::LayerConfig;
//! use retune::train::FineTune;
//! use retune::train::metrics::{Metric, bootstrap};
//! use retune::train::optimizers::{Adam, Optimizer};
//! use retune::train::losses::Loss;
//! use retune::Model;
//!
//! // 1. A pretrained network.
//! let (clothes, _) = Model::load("demo/fashion.keras")?;
//! // 2. A new head for ten digits, behind the last layer that is kept.
//! let digits = clothes.replace_head("dropout", &[LayerConfig::dense(10).with("activation", "softmax")], 0)?;
//! // 3. Data: each row of the table is an image of 8×8 pixels and its digit.
//! let shape = SourceOptions { input_shape: Some(vec![8, 8, 1]), ..SourceOptions::default() };
//! let data = data::open("demo/digits.csv.gz".as_ref(), &shape)?;
//! // 4. What the network takes: 28×28 pixels from 0 to 1.
//! let preprocessing = Preprocessing {
//!     resize: Some(Resize::to(28, 28)),
//!     rescale: Some(Rescale { scale: 1.0 / 16.0, offset: 0.0 }),
//!     ..Preprocessing::default()
//! };
//! let tuned = FineTune::new(digits)
//!     .data(data)
//!     .split(0.0, 0.5)
//!     .preprocess(preprocessing)
//!     // 5. The loss, and 6. the optimizer.
//!     .loss(Loss::SparseCategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 })
//!     .optimizer(Optimizer::Adam(Adam::default()))
//!     .epochs(2)
//!     .train()?;
//! // 7. How good it is on the half that it did not see; and a file that Keras opens.
//! let accuracy = tuned.evaluate().and_then(|scored| bootstrap(Metric::Accuracy, scored, 0)).expect("there is a test part");
//! assert!(accuracy.low > 0.8, "{accuracy:?}");
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("digits.keras");
//! tuned.save(path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A recipe, [`train::recipe`], says the same as a TOML file, and [`train::fit()`] keeps a folder for it, with checkpoints to
//! resume from and a report.
//!
//! This crate gathers the parts; each is a crate of its own:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`models`] | architectures: load, save, change, build as a graph |
//! | [`data`] | sources, splits, preprocessing, augmentation, batches |
//! | [`audit`] | checks of data sets, and their cleaning |
//! | [`train`] | losses, optimizers, schedules, metrics, recipes, runs |
//! | [`graph`] | operations, shapes, gradients |
//! | [`cpu`] | planning and running a graph |
//! | [`formats`] | readers and writers of files |
//! | [`hub`] | models of the Hugging Face Hub |
//! | [`tensor`] | tensors and random numbers |
//! | [`inference`] | a model as a function of tensors |

pub mod inference;

pub use retune_audit as audit;
pub use retune_cpu as cpu;
pub use retune_data as data;
pub use retune_formats as formats;
pub use retune_graph as graph;
pub use retune_hub as hub;
pub use retune_models as models;
pub use retune_tensor as tensor;
pub use retune_train as train;

pub use cpu::Cpu;
pub use inference::Inference;
pub use models::Model;
pub use tensor::Tensor;
