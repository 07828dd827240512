//! Every section and key of a recipe, with doc, unit and default.

use super::augment::{Posterize, Sharpness, Solarize};
use super::document::{Document, Located};
use super::sections::{Key, sections};
use super::values::{
    CacheUse, FillKind, FitKind, Group, Init, Inside, Method, ModelKind, PrecisionKind, SamplingKey, ThresholdKey,
    Weights,
};
use retune_data::Truncation;
use retune_data::augment::text::{Amount, CharacterOperation};
use retune_data::augment::{Affine, Blur, ColorJitter, Erasing, Perspective, Policy, RandomResizedCrop};
use retune_data::labels::LabelType;
use retune_data::preprocess::{Color, FeatureType, Filter, TargetEncoding};
use retune_data::sources::text::{TextEncoding, TextFormat};
use retune_data::sources::{Column, Layout, SourceKind};
use retune_data::table::Smote;
use retune_data::{ClassWeights, Storage};
use std::path::{Path, PathBuf};

use crate::features::FeaturePrecision;
use crate::optimizers::{Convention, DecayMode};
use crate::task::{PoolingKind, TaskKind};
use std::num::NonZeroU64;

sections! {
    /// What is trained.
    model: ModelKeys {
        /// The pretrained model: `.keras`, `.h5`, `.hdf5`, or a folder as transformers writes it. Relative paths start at the recipe's folder.
        /// Example: `path = "cnn_model.h5"`.
        "path" path: PathBuf,
        /// What it is trained for: `similarity` (of the texts of pairs, by the cosine of their vectors) or `token-classification` (a
        /// label for each word). Default: told from the labels.
        "task" task: TaskKind,
        /// What the head of an encoder of texts stands on: `mean`, `cls` or `lasttoken` (the mean of all tokens, the first, the last), and
        /// nothing between that and its product; or `pooler`, the head that transformers gives a classifier of the architecture. For
        /// `similarity`, how vectors are made. Default: the pooling module of sentence-transformers, if the folder has one, else
        /// `pooler`.
        "pooling" pooling: PoolingKind,
        /// Weights to load into the model, from a `.weights.h5` or another model. Default: those of `path`.
        "weights-file" weights_file: PathBuf,
        /// `pretrained` keeps the file's weights, `none` draws fresh ones to train from scratch. Default `pretrained`.
        "weights" weights: Weights,
        /// `table` makes a new model for a table of numbers and categories instead of `path`: vectors that stand for categories, and numbers
        /// normalized, go through dense layers. What columns are, and their statistics, come from the training part and are saved with
        /// the model, so that `predict` and `eval` take a raw `.csv`. Default: none.
        "kind" kind: ModelKind,
        /// Units of the hidden layers of `kind = "table"`. Default `[128, 64]`.
        "hidden" hidden: Vec<usize>,
        /// Share of the units of its hidden layers that are dropped in training. Default 0.1.
        "dropout" dropout: f64,
        /// Numbers that stand for a category in it. Default 8.
        "embedding" embedding: usize,
        /// Layers of a new model instead of `path`, one table each with Keras's names.
        /// Example: `layers = [{ class = "Dense", units = 10, activation = "softmax" }]`.
        "layers" layers: Vec<toml::Table>,
        /// Shape of one input, for `layers` and for models that leave sizes open. Example: `input-shape = [28, 28, 1]`.
        "input-shape" input_shape: Vec<usize>,
        /// New layers, one table each with Keras's names. Default: the model keeps its head.
        /// Example: `head = [{ class = "Dense", units = 10, activation = "softmax" }]`.
        "head" head: Vec<toml::Table>,
        /// Name of a new Sequential model: input, the whole pretrained model, `head`. Default: `head` takes the place of the
        /// model's own. Example: `wrap = "fine-tuned"`.
        "wrap" wrap: String,
        /// The last layer kept of the model when `head` takes the place of its own. Default: the one before the last layer with
        /// weights.
        "head-after" head_after: String,
        /// Layers to freeze, by name; `*` stands for any characters. Example: `freeze = ["conv2d*"]`.
        "freeze" freeze: Vec<String>,
        /// Freezes every layer from the input up to and including this one. Default: none.
        "freeze-up-to" freeze_up_to: String,
        /// Layers to train although frozen, by name; applied last. Default: none.
        "unfreeze" unfreeze: Vec<String>,
        /// Groups of layers with their own factors. Example: `groups = [{ layers = ["base/*"], learning-rate = 0.1 }]`.
        "groups" groups: Vec<Group>,
    }
    /// What it is trained on.
    data: DataKeys {
        /// A folder with one sub-folder of images per class, CIFAR-10 batches, IDX files, `.npy`, `.npz`; tables of texts, numbers, images
        /// or names of image files (`.csv`, `.tsv`, `.json`, `.jsonl`, `.parquet`, `.arrow`); of texts also lines of label and text; of
        /// labelled words `.conll`, `.jsonl`, `.parquet`; folders of these.
        /// Example: `path = "photos"`.
        "path" path: PathBuf,
        /// Data to choose the best weights by. Default: what `path` has, or `[split]`.
        "validation" validation: PathBuf,
        /// Data for the final figures. Default: what `path` has, or `[split]`.
        "test" test: PathBuf,
        /// The kind of data; `table` for columns of numbers and categories, which a model for tables takes. Default: told from the path and
        /// the model.
        "kind" kind: SourceKind,
        /// Rows and files that cannot be used: so many are left out, and listed in the run's folder, before it is an error. A text, label or
        /// number is missing where its place is empty, null or NaN, a label also where it is −1 of named classes. Default 0.
        "tolerance" tolerance: usize,
        /// What labels are: `class`, `multi-hot`, `real` or `word-class`. Default: told from their values.
        "labels" labels: LabelType,
        /// Number of classes. Default: told from the labels.
        "classes" classes: usize,
        /// Names of the classes, in the order of their numbers. Default: as the data has them.
        "class-names" class_names: Vec<String>,
        /// Shape of one input where the file does not keep it, such as 64 columns that are an image `[8, 8, 1]`. Default: as the file
        /// has it.
        "input-shape" input_shape: Vec<usize>,
        /// Order of the axes of images in arrays: `channels-last` or `channels-first`. Default `channels-last`.
        "layout" layout: Layout,
        /// Name of the array of inputs in a `.npz`. Default: `x_train` or `x`.
        "inputs-key" inputs_key: String,
        /// Name of the array of labels in a `.npz`. Default: `y_train` or `y`.
        "labels-key" labels_key: String,
        /// The `.npy` file of labels that belongs to a `.npy` file of inputs. Default: its name with `y` for `x`.
        "labels-path" labels_path: PathBuf,
        /// Whether a table's first row has the columns' names. Default: told from it.
        "header" header: bool,
        /// The column or field of images, or of the names of their files relative to the table's folder, by name or number. Default: found.
        "image" image: Column,
        /// The column or field of texts, by name or number. Default: `text`, `sentence` and the like, or the longest.
        "text" text: Column,
        /// The column or field of the second texts, where examples are pairs. Default: `text_b` beside `text_a`, `sentence2` beside
        /// `sentence1`, two texts before a number; else none.
        "text-pair" text_pair: Column,
        /// The column or field of labels, by name or number. Default: `label`, `class`, `target`, `y`, of texts `score`, or the last.
        "label" label: Column,
        /// The form of a file of texts or of a table: `csv`, `jsonl`, `json`, `parquet`, `arrow`, `label-text`, `lines` or `conll`. Default:
        /// told from its name.
        "format" format: TextFormat,
        /// How texts are stored: `utf-8`, `utf-16`, `latin-1` or `gb18030`. Default: found.
        "encoding" encoding: TextEncoding,
        /// The character between the columns of a table. Default: tab, semicolon, comma or bar, whichever suits its first lines.
        /// Example: `delimiter = "|"`.
        "delimiter" delimiter: char,
        /// What stands between the labels of an example that has several in one column; naming it makes labels `multi-hot`. Default,
        /// where they are: bar, semicolon or comma. Example: `label-separator = ";"`.
        "label-separator" label_separator: char,
        /// Where texts, and images taken out of tables, are kept while they are used: `memory`, `disk`, or `auto`, which is memory up to
        /// 512 MiB. The result is the same. Default `auto`.
        "storage" storage: Storage,
        /// The folder for those that are kept on disk, in files that are gone when the program ends. Default: the user's cache.
        "spool-folder" spool_folder: PathBuf,
        /// A table's columns that are neither features nor labels, by name or number. Default: none.
        /// Example: `drop-columns = ["id", "date"]`.
        "drop-columns" drop_columns: Vec<Column>,
        /// Examples of each class to train on, drawn at random; the others do not train. Default: all.
        "per-class" per_class: usize,
        /// Which draw of `per-class` examples, from 1, under one seed. Default: one of its own.
        "draw" draw: u64,
        /// Training examples drawn with replacement, in each epoch others: `"balanced"` (every class as often), `{ classes = [1.0, 3.0] }` (as
        /// often as the weight of the class says, in the order of the classes), or `{ column = "weight" }` (as often as a column of
        /// the table or a field of JSON lines says). Default: each example once an epoch.
        "sampling" sampling: SamplingKey,
        /// Examples that `sampling` draws for an epoch. Default: as many as there are to train on.
        "sampling-size" sampling_size: usize,
    }
    /// How data is divided where it is not divided already.
    split: SplitKeys {
        /// Share for validation, of each class alike. Default 0.1 where there is no validation data.
        "validation" validation: f64,
        /// Share for the final figures. Default 0.
        "test" test: f64,
        /// Seed of the division. Default: `train.seed`.
        "seed" seed: u64,
        /// A column of a table or a field of JSON lines, by name or number: no value of it is in two parts. It is not an input. Default: none.
        /// Example: `group = "patient"`.
        "group" group: Column,
        /// A column or field of times, numbers or dates such as 2024-05-31: the latest are for test, those before them for validation. It is
        /// not an input. Default: none.
        "time" time: Column,
        /// Folds of cross-validation, of which each tests once, in place of `test`; `retune fit --folds 5` goes through all. Default: none.
        "folds" folds: usize,
        /// The fold that tests, from 1. Default 1.
        "fold" fold: usize,
        /// The `split.json` of a run, to divide the same data in the same way. Relative paths start at the recipe's folder. Default: none.
        /// Example: `path = "runs/first/split.json"`.
        "path" path: PathBuf,
    }
    /// From stored values to what the network takes. Stored with the saved model. Default: what the model's file says.
    preprocess: PreprocessKeys {
        /// Colour channels of the network: `rgb`, `bgr` or `grey`. Default: files as `rgb`, arrays as they are.
        "color" color: Color,
        /// Height and width of the network's images, in pixels. Example: `resize = [224, 224]`.
        "resize" resize: [usize; 2],
        /// How pixels between pixels are made: `bilinear`, `bicubic` or `nearest`. Default `bilinear`.
        "resize-filter" resize_filter: Filter,
        /// Whether `bilinear` and `bicubic` average over all pixels where they shrink. Default false, as Keras.
        "resize-antialias" resize_antialias: bool,
        /// What is done where the aspect ratio differs: `stretch`, `center-crop` (the largest box from the centre) or `pad`.
        /// Default `stretch`.
        "resize-fit" resize_fit: FitKind,
        /// Share of the box's sides that `center-crop` keeps, above 0 to 1. Default 1.
        "crop-fraction" crop_fraction: f32,
        /// Value of the pixels that `pad` adds, in the range of stored pixels. Default 0.
        "pad-value" pad_value: f32,
        /// Factor of the stored values. Default 1. Example for pixels of 0 to 1: `scale = 0.00392156862745098`.
        "scale" scale: f32,
        /// Added after the factor. Default 0.
        "offset" offset: f32,
        /// Mean of each channel, subtracted after scaling. Default: none.
        "mean" mean: Vec<f32>,
        /// Standard deviation of each channel, divided by after subtracting the mean. Default: none.
        "std" std: Vec<f32>,
        /// Most tokens of a text, or of a pair, those that mark beginning and end included. Default: as many as the model takes.
        "max-tokens" max_tokens: usize,
        /// Which text of a pair loses tokens where there are more: `longest-first`, `only-first` or `only-second`. Default
        /// `longest-first`.
        "truncation" truncation: Truncation,
        /// Put in front of every text. Default: nothing. Example for E5's models: `prefix = "query: "`.
        "prefix" prefix: String,
        /// The lowest and the highest score of pairs there may be, for the task `similarity`: scores are brought from there to
        /// 0 to 1. Default: those of the data. Example: `score-range = [0, 5]`.
        "score-range" score_range: [f32; 2],
        /// Bins of like many training rows that `kind = "table"` tells a number's place among, beside its value; 0 for none. Default: one for 50
        /// training rows, 4 at least and 64 at most.
        "bins" bins: usize,
        /// Type of inputs that are not images: `float` or `integer`. Default `float`.
        "features" features: FeatureType,
        /// How labels are given to the loss: `as-stored`, `integer`, `one-hot` or `value`. Default `as-stored`.
        "targets" targets: TargetEncoding,
    }
    /// Random changes to training examples. How much of a text is changed is a number, the share of its words or characters, or a table with
    /// `share` and `probability`, the share of texts that are changed at all (default 1).
    augment: AugmentKeys {
        /// Share of images mirrored left to right. Default 0. Example: `horizontal-flip = 0.5`.
        "horizontal-flip" horizontal_flip: f32,
        /// Share of images mirrored top to bottom. Default 0.
        "vertical-flip" vertical_flip: f32,
        /// Pixels padded on each side before a random crop. Default 0. Example: `pad-crop = 4`.
        "pad-crop" pad_crop: u16,
        /// Largest turn, in degrees. Default 0.
        "rotation" rotation: f32,
        /// What stands outside of a shifted or turned image: `reflect`, `nearest` or `constant`. Default `reflect`.
        "fill" fill: FillKind,
        /// Value of `constant`, in the range of stored pixels. Default 0.
        "fill-value" fill_value: f32,
        /// Largest change of brightness, as a share of `value-range`, 0 to 1. Default 0. Example: `brightness = 0.2`.
        "brightness" brightness: f32,
        /// Largest change of the factor of contrast, 0 to 1. Default 0. Example: `contrast = 0.2`.
        "contrast" contrast: f32,
        /// Lowest and highest value of a stored pixel, which `brightness` and `contrast` keep to. Default `[0, 255]`.
        "value-range" value_range: [f32; 2],
        /// A random part in place of the whole image, resized to the network's size: `scale` is its least and greatest share of the area
        /// (default `[0.08, 1]`), `ratio` its least and greatest width for a height of 1 (default `[0.75, 1.333]`). Default: the whole.
        /// Example: `random-resized-crop = { scale = [0.3, 1.0] }`.
        "random-resized-crop" random_resized_crop: RandomResizedCrop,
        /// Turned by up to `degrees`, moved by up to `translate` (shares of width and height), scaled by a factor within `scale`, sheared by
        /// up to `shear` (degrees along x and y), with `interpolation` (`nearest` or `bilinear`), `fill` and `probability` (default 1).
        /// Default: not. Example: `affine = { degrees = 10, translate = [0.1, 0.1], scale = [0.9, 1.1] }`.
        "affine" affine: Affine,
        /// Corners moved inwards by up to `distortion` of half a side (default 0.5), in a share `probability` of the images (default 0.5).
        /// Default: not. Example: `perspective = { distortion = 0.2 }`.
        "perspective" perspective: Perspective,
        /// A random sequence of changes, by `kind`: `rand-augment` (`operations`, default 2; `magnitude`, 0 to 30, default 9),
        /// `trivial-augment`, `auto-augment` (`searched-on`: `imagenet`, `cifar10` or `svhn`), `aug-mix` (`severity`, `width`, `depth`,
        /// `alpha`). Default: none. Example: `policy = { kind = "rand-augment", magnitude = 7 }`.
        "policy" policy: Policy,
        /// Factors of `brightness`, `contrast` and `saturation` within 1 ± the number, the `hue` turned by up to that share of the circle (to
        /// 0.5), in random order, in a share `probability` of the images (default 1). Default: not.
        /// Example: `color-jitter = { brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.1 }`.
        "color-jitter" color_jitter: ColorJitter,
        /// Gaussian blur of a width within `sigma`, in pixels (default `[0.1, 2]`), by a `kernel` of so many pixels (default 9), in a share
        /// `probability` of the images (default 0.5). Default: not. Example: `blur = { probability = 0.1 }`.
        "blur" blur: Blur,
        /// Share of images made grey. Default 0. Example: `grey = 0.1`.
        "grey" grey: f32,
        /// Values from `threshold` on (default 128) inverted in a share `probability` of the images. Default: not.
        /// Example: `solarize = { probability = 0.2 }`.
        "solarize" solarize: Solarize,
        /// Values left with `bits` (default 4) in a share `probability` of the images. Default: not.
        "posterize" posterize: Posterize,
        /// Sharpness multiplied by `factor` (default 2) in a share `probability` of the images. Default: not.
        "sharpness" sharpness: Sharpness,
        /// Share of images whose values are stretched to 0–255. Default 0.
        "auto-contrast" auto_contrast: f32,
        /// Share of images whose values are made equally frequent. Default 0.
        "equalize" equalize: f32,
        /// Share of images whose values are inverted. Default 0.
        "invert" invert: f32,
        /// A box of zeros (`with = "noise"`: of normal noise) after normalization: `probability` (default 0.25), `scale` (share of the area,
        /// default `[0.02, 0.333]`), `ratio` (height for a width of 1, default `[0.3, 3.3]`). Default: not. Example: `erasing = {}`.
        "erasing" erasing: Erasing,
        /// Standard deviation of normal noise on normalized values, of images and of tables of numbers. Default 0.
        "noise" noise: f32,
        /// mixup: examples blended with others of their batch, inputs and targets alike, by shares from Beta(α, α) with this α. Class
        /// numbers are given to the loss as `one-hot`. Default: not. Example: `mixup = 0.2`.
        "mixup" mixup: f32,
        /// CutMix: a box of another image of the batch, of a share of the area from Beta(α, α) with this α; targets follow. Beside `mixup`
        /// an example takes either. Default: not. Example: `cutmix = 1.0`.
        "cutmix" cutmix: f32,
        /// Share of examples that `mixup` and `cutmix` mix. Default 1.
        "mix-probability" mix_probability: f32,
        /// Characters of texts got wrong, in the ways of `character-operations`. Default 0. Example: `character-noise = 0.02`.
        "character-noise" character_noise: Amount,
        /// How `character-noise` gets them wrong: `insert`, `delete`, `swap` (with the next), `replace`. Default: all four alike.
        "character-operations" character_operations: Vec<CharacterOperation>,
        /// Characters of texts left out; the last of a word never is. Default 0.
        "character-deletion" character_deletion: Amount,
        /// Letters and digits replaced by their neighbours on a QWERTY keyboard. Default 0.
        "typos" typos: Amount,
        /// Words of texts left out; one always stays. Default 0. Example: `word-deletion = { share = 0.1, probability = 0.5 }`.
        "word-deletion" word_deletion: Amount,
        /// Words that change places with another one of their text. Default 0.
        "word-swap" word_swap: Amount,
        /// Words replaced by others of `synonyms-file`, as a share of those that have any. Default 0.
        "synonyms" synonyms: Amount,
        /// Words that mean the same: a text file with one group a line, its words between tabs or spaces; lines that begin with `#` are left
        /// out. Relative paths start at the recipe's folder. Example line: `good fine decent`.
        "synonyms-file" synonyms_file: PathBuf,
        /// Rows of tables made for classes that have few, once, of the training part (SMOTE): each lies between a row and one of its
        /// `neighbours` (default 5) nearest of the class, until the class has `ratio` (default 1) times the rows of the largest.
        /// Default: not. Example: `smote = { ratio = 0.5 }`.
        "smote" smote: Smote,
        /// Words hidden behind the tokenizer's mask token, in spans. Default 0.
        "span-masking" span_masking: Amount,
        /// Words of such a span in the mean, at least 1. Default 3.
        "span-length" span_length: f32,
        /// Share of texts whose sentences are put into another order. Default 0.
        "sentence-shuffling" sentence_shuffling: f32,
        /// Words put into small letters, large ones, or small ones behind a capital. Default 0.
        "case" case: Amount,
        /// The words of Chinese, for what acts on words: a text file with one word a line, its frequency behind a space where it is known
        /// (jieba's `dict.txt` has this form). Those of `synonyms-file` are added. Default: every character is a word.
        "words-file" words_file: PathBuf,
    }
    /// Which weights are trained.
    method: MethodKeys {
        /// `full`; `head`; `lp-ft` (the head first, then all); `gradual` (the head first, then one group of layers more from time
        /// to time); `lora`; `ia3`; `bottleneck`; `prompt`; `prefix`; `biases`; `norms`. The others train the head and freeze the rest of the model but for what they
        /// name. Default `full`.
        "kind" kind: Method,
        /// Epochs in which `lp-ft` trains the head alone. Learning rate and optimizer begin anew after them. Default 1.
        "head-epochs" head_epochs: u64,
        /// Learning rate of these epochs. Default: that of the optimizer; 0.001 for an encoder of texts without a learning rate in the
        /// recipe.
        "head-learning-rate" head_learning_rate: f64,
        /// Epochs from which to which `gradual` trains one more group of layers (a block of the network; of Keras's models a layer
        /// with what normalizes it). Learning rate and optimizer begin anew each time. Default 1.
        "unfreeze-every" unfreeze_every: u64,
        /// Rank of the terms of `lora`. Default 8.
        "rank" rank: usize,
        /// Numerator of the factor of `lora`'s terms, `alpha / rank`. Default: the rank, for a factor of 1.
        "alpha" alpha: f32,
        /// Share of the input of `lora`'s terms that is dropped in training. Default 0.
        "dropout" dropout: f32,
        /// Whether the factor of `lora`'s terms is `alpha / √rank`. Default false.
        "rank-stabilized" rank_stabilized: bool,
        /// Whether `lora` trains length and direction of columns apart (DoRA). Default false.
        "decomposed" decomposed: bool,
        /// Other ranks for layers: a table of patterns, `{ "encoder.layer.11.*" = 16 }`. Default: none.
        "rank-pattern" rank_pattern: std::collections::BTreeMap<String, usize>,
        /// The layers of `lora` or `bottleneck`, by the last parts of their names, patterns, or roles: `all-linear`, `all-convolutions`,
        /// `attention-outputs`, `feed-forward-outputs`. Default of `lora`: queries and values of attention, the convolutions of networks
        /// that are made of them, and all of both in models of Keras. Default of `bottleneck`: the products that end attention and those
        /// that end a layer, as Houlsby et al. have them; Pfeiffer et al. have `["feed-forward-outputs"]`.
        "targets" targets: Vec<String>,
        /// What `lora`'s terms are at first: `zero`, or `pissa` for the principal part of the weights, which stay frozen without it.
        /// The adapter is saved as a plain one of the untouched model. Default `zero`.
        "init" init: Init,
        /// Width inside of a `bottleneck`. Default 64.
        "size" size: usize,
        /// Activation inside of a `bottleneck`: `gelu`, `relu`, `silu` or `tanh`. Default `gelu`.
        "activation" activation: Inside,
        /// Number of virtual tokens of `prompt` or `prefix`. Each takes one of the tokens that the network takes at most. Default 20;
        /// with `prompt-text` as many as that has.
        "virtual-tokens" virtual_tokens: usize,
        /// Text whose tokens the prompt of `prompt` begins as, repeated or cut off to its length. Default: random vectors.
        "prompt-text" prompt_text: String,
        /// Factor of the learning rate of the second factor of `lora`'s terms (LoRA+, which found 16 to be good). Default 1.
        "up-rate-factor" up_rate_factor: f64,
    }
    /// What is made small.
    loss: LossKeys {
        /// `sparse-categorical-cross-entropy`, `categorical-cross-entropy`, `binary-cross-entropy`, `mean-squared-error`,
        /// `mean-absolute-error`, `huber`. Default: told from labels and network.
        "kind" kind: String,
        /// Whether the network gives logits, not probabilities. Default: whether it ends without softmax or sigmoid.
        "from-logits" from_logits: bool,
        /// Share of the target spread over all classes, 0 to below 1. Default 0.
        "label-smoothing" label_smoothing: f32,
        /// Error beyond which `huber` grows linearly. Default 1.
        "delta" delta: f32,
        /// Weights of the classes: `"balanced"` or `{ given = [1.0, 2.0] }`. Default: all weigh 1.
        "class-weights" class_weights: ClassWeights,
    }
    /// From gradients to new weights.
    optimizer: OptimizerKeys {
        /// `gradient-descent`, `sgd`, `adam`, `adamw`, `rmsprop` or `adagrad`. Default `adamw`.
        "kind" kind: String,
        /// Learning rate. Default: Keras's for the optimizer, 0.01 or 0.001. For encoders of texts under `adam` and `adamw` by the
        /// method: 5e-5 for `full`, `lp-ft` and `gradual`, 5e-4 for `lora`, `bottleneck`, `biases` and `norms`, else 1e-3.
        "learning-rate" learning_rate: f64,
        /// Factor of the learning rate from each group of layers to the one before it, above 0 to 1; the head has the full rate. The groups
        /// are the blocks of the network, of Keras's models layers with what normalizes them. Default 1. Example: `layer-decay = 0.9`.
        "layer-decay" layer_decay: f64,
        /// Weight decay. Default 0.004 for `adamw`, else 0.
        "weight-decay" weight_decay: f64,
        /// `decoupled` or `l2`. Default `decoupled`.
        "decay-mode" decay_mode: DecayMode,
        /// Whether biases and norms decay too. Default false.
        "decay-all" decay_all: bool,
        /// Largest length of the gradient. Default: unlimited. Example: `clip-norm = 1.0`.
        "clip-norm" clip_norm: f64,
        /// Share of the last update that is kept, for `sgd` and `rmsprop`. Default 0.
        "momentum" momentum: f64,
        /// Whether `sgd` looks ahead. Default false.
        "nesterov" nesterov: bool,
        /// Decay of the mean gradient, for `adam` and `adamw`. Default 0.9.
        "beta-1" beta_1: f64,
        /// Decay of the mean squared gradient, for `adam` and `adamw`. Default 0.999.
        "beta-2" beta_2: f64,
        /// Keeps divisors from 0. Default 1e-7.
        "epsilon" epsilon: f64,
        /// Whether `adam` and `adamw` divide by the largest second moment so far. Default false.
        "amsgrad" amsgrad: bool,
        /// Decay of the mean squared gradient, for `rmsprop`. Default 0.9.
        "rho" rho: f64,
        /// Whether `rmsprop` subtracts the mean gradient's square. Default false.
        "centered" centered: bool,
        /// First value of `adagrad`'s sum. Default 0.1.
        "initial-accumulator" initial_accumulator: f64,
        /// `keras` or `pytorch`, where the two differ. Default `keras`.
        "convention" convention: Convention,
    }
    /// The learning rate over time.
    schedule: ScheduleKeys {
        /// `constant`, `step`, `exponential`, `cosine`, `linear` or `polynomial`. Default `constant`; where the learning rate is the
        /// default of an encoder of texts and nothing stands in this section, `linear` with `warmup-share = 0.1`.
        "kind" kind: String,
        /// Length of the linear rise at the start, in optimizer steps. Default 0.
        "warmup-steps" warmup_steps: u64,
        /// The same in epochs. Default 0.
        "warmup-epochs" warmup_epochs: f64,
        /// The same as a share of all steps of the run, or of the stage. Default 0.
        "warmup-share" warmup_share: f64,
        /// Share of the learning rate at the first step of the warmup. Default 0.
        "warmup-start" warmup_start: f64,
        /// Length of the decay after the warmup, in optimizer steps. Default: to the end of the run; for `exponential` an epoch.
        "decay-steps" decay_steps: u64,
        /// Factor of each fall of `step` (default 0.1), or of `exponential` over `decay-steps` (default 0.9).
        "factor" factor: f64,
        /// Epochs from fall to fall of `step`. Default: a third of the run.
        "every-epochs" every_epochs: f64,
        /// Epochs at whose end `step` falls, instead of `every-epochs`. Example: `at-epochs = [30, 60]`.
        "at-epochs" at_epochs: Vec<f64>,
        /// Whether `exponential` falls in steps. Default false.
        "staircase" staircase: bool,
        /// Share of the learning rate at the end of `cosine`, `linear` and `polynomial`. Default 0.
        "end" end: f64,
        /// Power of `polynomial`. Default 2.
        "power" power: f64,
        /// Evaluations without improvement after which the learning rate falls. Default: it does not.
        "plateau-patience" plateau_patience: u32,
        /// Factor of that fall. Default 0.1.
        "plateau-factor" plateau_factor: f64,
        /// What counts as an improvement. Default 1e-4.
        "plateau-min-delta" plateau_min_delta: f64,
        /// Evaluations after such a fall that are not counted. Default 0.
        "plateau-cooldown" plateau_cooldown: u32,
        /// The learning rate does not fall below this on plateaus. Default 0.
        "plateau-min-learning-rate" plateau_min_learning_rate: f64,
    }
    /// How long and in what portions.
    train: TrainKeys {
        /// Passes over the data. Default 10.
        "epochs" epochs: u64,
        /// Optimizer steps at most. Default: unlimited.
        "max-steps" max_steps: u64,
        /// Examples that go through the network together at most. Default 32; with `batch-tokens` any number.
        "batch-size" batch_size: usize,
        /// Tokens of texts that go through the network together at most. Default: any number.
        "batch-tokens" batch_tokens: usize,
        /// Whether texts of like length go through the network together. Default false.
        "bucket" bucket: bool,
        /// Batches whose gradients make one optimizer step. Default 1.
        "accumulate" accumulate: usize,
        /// Seed of everything random. Default 0.
        "seed" seed: u64,
        /// Threads. Default: one per core. Results do not depend on it.
        "threads" threads: usize,
        /// `f32`, or `bf16` for products of bfloat16 where the processor multiplies such numbers faster. Default `f32`.
        "precision" precision: PrecisionKind,
        /// Whether what frozen layers give is computed once per example and kept, for later epochs, evaluations and runs: `true`, `false`,
        /// or `"auto"`, where that is faster. The result is the same. Default `"auto"`.
        "cache" cache: CacheUse,
        /// The folder that it is kept in. Relative paths start at the recipe's folder. Default `retune/features` in the user's folder for
        /// caches.
        "cache-folder" cache_folder: PathBuf,
        /// The most bytes of that folder; what was not used for the longest time is removed first, and what does not fit is computed
        /// anew each time. 1 GiB of the disk is left free. Default 8 GiB.
        "cache-bytes" cache_bytes: u64,
        /// How it is kept: `f32`, as computed, or `f16`, which takes half the space and changes the result a little. Default `f32`.
        "cache-precision" cache_precision: FeaturePrecision,
        /// How many different augmentations each example has: epoch e takes that of epoch e mod k, so that what frozen layers give for
        /// them can be kept. Default: another one in each epoch, and nothing is kept in training.
        "cache-augmentations" cache_augmentations: NonZeroU64,
        /// Whether dropout acts inside of frozen layers too, so that they give other values in each epoch. Default false: they compute what
        /// they do in the finished model.
        "frozen-dropout" frozen_dropout: bool,
        /// Threads that prepare data. Default: one for data in memory, else one per core.
        "workers" workers: usize,
        /// Whether the last, smaller batch of an epoch is left out. Default false.
        "drop-last" drop_last: bool,
        /// The metric of the validation data that decides. Default `loss`.
        "monitor" monitor: String,
        /// Whether the best weights are the result, not the last. Default true.
        "restore-best" restore_best: bool,
        /// Evaluations without improvement after which training stops. Default: it does not.
        "early-stopping-patience" early_stopping_patience: u32,
        /// What counts as an improvement. Default 0.
        "early-stopping-min-delta" early_stopping_min_delta: f64,
    }
    /// What is measured.
    eval: EvalKeys {
        /// Metrics, such as `accuracy`, `top-5-accuracy`, `f1-macro`, `roc-auc`, `r2`. Default: what suits the data.
        "metrics" metrics: Vec<String>,
        /// Optimizer steps from one evaluation to the next; also at the end of each epoch. Default: only there.
        "every-steps" every_steps: u64,
        /// Examples that go through the network together. Default: `train.batch-size`.
        "batch-size" batch_size: usize,
        /// Above which probability the answer is yes, of two classes the second, or of each label: what is best on the validation part
        /// by `"f1"`, by `"balanced-accuracy"` or by costs such as `{ false-positive = 1, false-negative = 5 }`, or a number. It is
        /// saved with the model, for `predict` and `eval`. Default: one half, or the larger of two scores.
        "threshold" threshold: ThresholdKey,
        /// Whether a temperature is fitted on the validation part that makes probabilities as sure as they are right. It is saved with
        /// the model, for `predict` and `eval`. Default false.
        "temperature" temperature: bool,
        /// Labelled data of another kind, such as those that the model was trained on before, measured before and after training: what
        /// was forgotten. Relative paths start at the recipe's folder. Default: none.
        "also" also: PathBuf,
        /// Whether a model with a new head is held against a probe, logistic regression on what the untouched model gives to its head
        /// for up to 2,000 training examples. Default true.
        "probe" probe: bool,
    }
    /// What is kept.
    output: OutputKeys {
        /// The run's folder. Relative paths start at the recipe's folder. Default `runs/` and the recipe's name.
        "path" path: PathBuf,
        /// Name of the saved model in the folder. Default: `model`, in the format that the pretrained model came in.
        "model" model: String,
        /// Optimizer steps from one checkpoint to the next; also at the end of each epoch. Default: only there.
        "save-every-steps" save_every_steps: u64,
        /// Checkpoints kept beside the best. Default 2.
        "keep-last" keep_last: usize,
        /// Optimizer steps from one line of `metrics.jsonl` to the next. Default 50.
        "log-every-steps" log_every_steps: u64,
    }
}

impl Recipe {
    /// The recipe with every path absolute; relative ones start at `folder`.
    pub(super) fn with_absolute_paths(&self, folder: &Path) -> Recipe {
        let mut recipe = self.clone();
        let Recipe { model, data, split, augment, train, eval, output, .. } = &mut recipe;
        let paths = [
            &mut model.path,
            &mut model.weights_file,
            &mut data.path,
            &mut data.validation,
            &mut data.test,
            &mut data.spool_folder,
            &mut split.path,
            &mut augment.synonyms_file,
            &mut augment.words_file,
            &mut train.cache_folder,
            &mut eval.also,
            &mut output.path,
        ];
        for path in paths.into_iter().flatten() {
            let whole = folder.join(&path.value);
            // Only where the current folder is unknown it stays as it is.
            path.value = std::path::absolute(&whole).unwrap_or(whole);
        }
        recipe
    }

    /// The keys whose values are paths that start at the recipe's folder.
    pub const PATHS: &[&str] = &[
        "model.path",
        "model.weights-file",
        "data.path",
        "data.validation",
        "data.test",
        "data.spool-folder",
        "split.path",
        "augment.synonyms-file",
        "augment.words-file",
        "train.cache-folder",
        "eval.also",
        "output.path",
    ];
}
