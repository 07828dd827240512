//! What can be known before training: whether model, data and loss fit each other, and what it will cost.

use crate::error::TrainError;
use crate::language::Said;
use crate::losses::{Loss, TargetForm};
use crate::said;
use retune_data::preprocess::TargetEncoding;
use retune_data::{Dataset, Inputs, LabelKind, Preprocessing, TokenInputs};
use retune_graph::{Dim, Shape};
use retune_models::{FinalActivation, Mode, Model, ModelError, NetworkInput, NetworkOutput, Task};
use serde::Serialize;

/// What was found out about a job before training.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// Shape of one input as the network takes it; none for texts.
    pub input_shape: Option<Vec<usize>>,
    /// Shape of one output.
    pub output_shape: Vec<usize>,
    /// Values of all weights.
    pub parameters: usize,
    /// Values that training changes.
    pub trainable_parameters: usize,
    /// Layers with trainable weights, from input to output.
    pub trainable_layers: Vec<String>,
    /// Layers whose weights are all frozen.
    pub frozen_layers: Vec<String>,
}

/// The name of the loss that suits labels and network.
pub fn default_loss(data: &Dataset, output: Option<&NetworkOutput>) -> &'static str {
    let sigmoid = output.is_some_and(|output| output.final_activation == FinalActivation::Sigmoid);
    match data.label_kind() {
        LabelKind::Real { .. } | LabelKind::None => "mean-squared-error",
        LabelKind::MultiHot { .. } => "binary-cross-entropy",
        LabelKind::ClassIndex { .. } if sigmoid => "binary-cross-entropy",
        LabelKind::OneHot { .. } => "categorical-cross-entropy",
        LabelKind::ClassIndex { .. } | LabelKind::WordClasses { .. } => "sparse-categorical-cross-entropy",
    }
}

/// Checks model, data, preprocessing and loss against each other.
///
/// # Errors
/// The first thing that does not fit, with what to do.
pub fn check_job(
    model: &Model,
    data: &Dataset,
    preprocessing: &Preprocessing,
    loss: Loss,
    input_shape: Option<&[usize]>,
) -> Result<Facts, TrainError> {
    let prepared = prepared_shape(data, preprocessing);
    let shape = input_shape.map(<[usize]>::to_vec).or_else(|| prepared.clone());
    let given = shape.as_ref().map(|shape| vec![shape.iter().map(|&size| Some(size)).collect()]);
    check_words(model, data)?;
    let network = match model.build(Mode::Inference, None) {
        Err(ModelError::UnknownSize { .. }) => model.build(Mode::Inference, given.as_deref())?,
        network => network?,
    };
    let expected = match network.inputs.as_slice() {
        inputs if takes_tokens(inputs) || data.texts().is_some() => {
            check_texts(inputs, data)?;
            None
        }
        inputs if data.table().is_some() || preprocessing.table.is_some() => {
            check_table(inputs, data, preprocessing)?;
            None
        }
        [input] => {
            let expected = fixed(&input.shape);
            check_input(&expected, prepared.as_deref(), data)?;
            Some(expected)
        }
        inputs => {
            return Err(TrainError::unfit(
                Said::new(
                    format!("the network has {} inputs, the data one", inputs.len()),
                    format!("网络有 {} 个输入，数据只有一个", inputs.len()),
                ),
                "training takes networks of one input",
            ));
        }
    };
    let [output] = network.outputs.as_slice() else {
        return Err(TrainError::unfit(
            Said::new(
                format!("the network has {} outputs", network.outputs.len()),
                format!("网络有 {} 个输出", network.outputs.len()),
            ),
            "training takes networks of one output; cut the model off at one of them",
        ));
    };
    let output_shape = fixed(network.graph.shape(output.node));
    check_ending(loss, output)?;
    check_labels(loss, data, preprocessing.targets, &output_shape)?;
    let layers_where = |trainable: bool| -> Vec<String> {
        let mut layers: Vec<String> = Vec::new();
        for weight in &model.weights {
            let any = model.weights.iter().any(|other| other.layer == weight.layer && other.trainable);
            if any == trainable && layers.last() != Some(&weight.layer) {
                layers.push(weight.layer.clone());
            }
        }
        layers
    };
    Ok(Facts {
        input_shape: expected,
        output_shape,
        parameters: model.weights.iter().map(|weight| weight.value.len()).sum(),
        trainable_parameters: model.weights.iter().filter(|w| w.trainable).map(|w| w.value.len()).sum(),
        trainable_layers: layers_where(true),
        frozen_layers: layers_where(false),
    })
}

/// Whether a network takes tokens of texts.
fn takes_tokens(inputs: &[NetworkInput]) -> bool {
    !inputs.is_empty() && inputs.iter().all(|input| TokenInputs::NAMES.contains(&input.name.as_str()))
}

/// Texts belong to networks that take tokens, and nothing else does.
fn check_texts(inputs: &[NetworkInput], data: &Dataset) -> Result<(), TrainError> {
    match (takes_tokens(inputs), data.texts().is_some()) {
        (true, true) => Ok(()),
        (true, false) => Err(TrainError::unfit(
            Said::new(
                format!("the model takes texts, but `{}` holds none", data.description()),
                format!("模型接受文本，而 `{}` 中没有文本", data.description()),
            ),
            "name the column of texts with `text` in `[data]`, or use a model for these inputs",
        )),
        _ => Err(TrainError::unfit(
            Said::new(
                format!("`{}` holds texts, but the model takes none", data.description()),
                format!("`{}` 中是文本，而模型不接受文本", data.description()),
            ),
            "use a folder with a text encoder and its `tokenizer.json`",
        )),
    }
}

/// A table of columns belongs to a network that takes as many numbers and categories as its schema has, and nothing else does.
fn check_table(inputs: &[NetworkInput], data: &Dataset, preprocessing: &Preprocessing) -> Result<(), TrainError> {
    let schema = match (&preprocessing.table, data.table()) {
        (Some(schema), Some(_)) => schema,
        (Some(_), None) => {
            return Err(TrainError::unfit(
                said!(
                    "the model takes tables of columns, but `{data}` is none",
                    "模型接受由列组成的表格，而 `{data}` 不是",
                    data = data.description()
                ),
                "give a `.csv` or `.tsv` file, or use a model for these inputs",
            ));
        }
        (None, _) => {
            return Err(TrainError::unfit(
                said!(
                    "`{data}` is a table of columns, but the model takes none",
                    "`{data}` 是由列组成的表格，而模型不接受表格",
                    data = data.description()
                ),
                "make a model for tables with `kind = \"table\"` in `[model]`, or leave out `kind = \"table\"` in `[data]`",
            ));
        }
    };
    let widths = [schema.number_width(), schema.category_width()].into_iter().filter(|&width| width > 0);
    let expected: Vec<Vec<usize>> = widths.map(|width| vec![width]).collect();
    let found: Vec<Vec<usize>> = inputs.iter().map(|input| fixed(&input.shape)).collect();
    if found == expected {
        return Ok(());
    }
    Err(TrainError::unfit(
        said!(
            "the model's inputs do not fit the columns that are stored with it: it takes {found:?}, they are {expected:?}",
            "模型的输入与随它保存的列不符：模型接受 {found:?}，而各列为 {expected:?}"
        ),
        "use the model as `retune fit` saved it",
    ))
}

/// Labels of words belong to models that give a label for each token, and no others do.
fn check_words(model: &Model, data: &Dataset) -> Result<(), TrainError> {
    let of_tokens = matches!(model.task(), Some(Task::TokenClassification { .. }));
    match (of_tokens, data.label_kind()) {
        (true, LabelKind::WordClasses { .. } | LabelKind::None) => Ok(()),
        (true, kind) => Err(TrainError::unfit(
            Said::new(
                format!(
                    "the model gives a label for each word, but the labels of `{}` are {kind:?}",
                    data.description()
                ),
                format!("模型为每个词给出标签，而 `{}` 的标签是 {kind:?}", data.description()),
            ),
            "give words with labels, a word a line or lists in `.jsonl`; or set `labels = \"word-class\"` in `[data]`",
        )),
        (false, LabelKind::WordClasses { .. }) => Err(TrainError::unfit(
            Said::new(
                format!("the words of `{}` have labels, but the model gives none for words", data.description()),
                format!("`{}` 的词带有标签，而模型不为词给出标签", data.description()),
            ),
            "use a folder with a text encoder and its `tokenizer.json`",
        )),
        (false, _) => Ok(()),
    }
}

/// Shape of one prepared input, as far as it is known without decoding.
fn prepared_shape(data: &Dataset, preprocessing: &Preprocessing) -> Option<Vec<usize>> {
    match (data.inputs(), data.input_shape()) {
        (Inputs::Images(_), Some(&[height, width, channels])) => {
            Some(preprocessing.image_shape([height, width, channels]).to_vec())
        }
        (Inputs::Encoded(images), _) => {
            let channels = preprocessing.color.map_or(3, |color| color.channels());
            let size = preprocessing.resize.map(|resize| [resize.height, resize.width]).or(images.size)?;
            Some(vec![size[0], size[1], channels])
        }
        (_, shape) => shape.map(<[usize]>::to_vec),
    }
}

fn fixed(shape: &Shape) -> Vec<usize> {
    shape.dims().iter().skip(1).filter_map(|dim| Dim::fixed(*dim)).collect()
}

fn check_input(expected: &[usize], prepared: Option<&[usize]>, data: &Dataset) -> Result<(), TrainError> {
    let Some(prepared) = prepared.filter(|prepared| *prepared != expected) else { return Ok(()) };
    let hint = match (expected, prepared) {
        (&[h, w, c], &[ph, pw, pc]) => {
            let mut fixes = Vec::new();
            if [h, w] != [ph, pw] {
                fixes.push(format!("`resize = [{h}, {w}]`"));
            }
            if c != pc {
                fixes.push(format!("`color = \"{}\"`", if c == 1 { "grey" } else { "rgb" }));
            }
            format!("set {} in `[preprocess]`", fixes.join(" and "))
        }
        (&[h, w, c], &[values]) if h * w * c == values => {
            format!("the values are images: set `input-shape = [{h}, {w}, {c}]` in `[data]`")
        }
        _ => "use data of the model's shape, or another model".to_owned(),
    };
    Err(TrainError::unfit(
        Said::new(
            format!(
                "the model's input does not fit the data: it takes {expected:?}, one prepared example of `{}` is {prepared:?}",
                data.description()
            ),
            format!(
                "模型的输入与数据不符：模型接受 {expected:?}，而 `{}` 准备好的一个样本是 {prepared:?}",
                data.description()
            ),
        ),
        hint,
    ))
}

/// Softmax together with logits, and the other way round.
fn check_ending(loss: Loss, output: &NetworkOutput) -> Result<(), TrainError> {
    let ending = match output.final_activation {
        FinalActivation::Softmax => "softmax",
        FinalActivation::Sigmoid => "sigmoid",
        FinalActivation::None => {
            return match loss.from_logits() {
                Some(false) => Err(TrainError::unfit(
                    Said::new(
                        format!(
                            "`{}` with `from-logits = false` takes probabilities, but the network's last layer `{}` ends in neither \
                         softmax nor sigmoid",
                            loss.name(),
                            output.name
                        ),
                        format!(
                            "`{}` 在 `from-logits = false` 时接受概率，而网络的最后一层 `{}` 既不以 softmax 也不以 sigmoid 结尾",
                            loss.name(),
                            output.name
                        ),
                    ),
                    "set `from-logits = true` in `[loss]`, or give the last layer `activation = \"softmax\"`",
                )),
                _ => Ok(()),
            };
        }
    };
    if loss.from_logits() == Some(true) {
        return Err(TrainError::unfit(
            Said::new(
                format!(
                    "the network's last layer `{}` ends in {ending}, but `from-logits = true` says that it gives logits: \
                 {ending} would be applied twice, and the network would hardly learn",
                    output.name
                ),
                format!(
                    "网络的最后一层 `{}` 以 {ending} 结尾，而 `from-logits = true` 表示它给出 logits：{ending} 会被用两次，网络几乎学不到东西",
                    output.name
                ),
            ),
            format!("set `from-logits = false` in `[loss]`, or leave {ending} out of the last layer"),
        ));
    }
    let classes = matches!(loss.target_form(), TargetForm::ClassIndex | TargetForm::ClassProbabilities);
    match (ending, loss) {
        ("softmax", Loss::BinaryCrossEntropy { .. }) => Err(TrainError::unfit(
            Said::new(
                "binary cross-entropy takes independent probabilities, but the network ends in softmax",
                "二元交叉熵接受互相独立的概率，而网络以 softmax 结尾",
            ),
            "use `sparse-categorical-cross-entropy` or `categorical-cross-entropy`, or end the network in sigmoid",
        )),
        ("sigmoid", _) if classes => Err(TrainError::unfit(
            Said::new(
                format!("`{}` takes classes that exclude one another, but the network ends in sigmoid", loss.name()),
                format!("`{}` 接受互斥的类别，而网络以 sigmoid 结尾", loss.name()),
            ),
            "use `binary-cross-entropy`, or end the network in softmax",
        )),
        _ => Ok(()),
    }
}

/// Labels against loss, and the number of classes against the output's size.
fn check_labels(loss: Loss, data: &Dataset, targets: TargetEncoding, output: &[usize]) -> Result<(), TrainError> {
    let kind = data.label_kind();
    let units = output.last().copied().unwrap_or(1);
    let is_index = match targets {
        TargetEncoding::Integer => true,
        TargetEncoding::AsStored => matches!(kind, LabelKind::ClassIndex { .. } | LabelKind::WordClasses { .. }),
        _ => false,
    };
    match (loss.target_form(), is_index) {
        (_, _) if kind == LabelKind::None => {
            return Err(TrainError::unfit(
                Said::new(
                    format!("the data `{}` has no labels", data.description()),
                    format!("数据 `{}` 没有标签", data.description()),
                ),
                "give data with labels, one folder per class, or a column of labels",
            ));
        }
        (form, _) if form != TargetForm::ClassIndex && matches!(kind, LabelKind::WordClasses { .. }) => {
            return Err(TrainError::unfit(
                Said::new(
                    format!("words have one class each, which `{}` does not take", loss.name()),
                    format!("每个词有一个类别，而 `{}` 不接受这种标签", loss.name()),
                ),
                "use `kind = \"sparse-categorical-cross-entropy\"` in `[loss]`",
            ));
        }
        (TargetForm::ClassProbabilities, true) => {
            return Err(TrainError::unfit(
                Said::new(
                    "categorical cross-entropy takes one-hot labels, but these are integers",
                    "分类交叉熵接受 one-hot 标签，而这些是整数",
                ),
                "use `kind = \"sparse-categorical-cross-entropy\"` in `[loss]`, or set `targets = \"one-hot\"` in \
                 `[preprocess]`",
            ));
        }
        (TargetForm::ClassIndex, false) => {
            return Err(TrainError::unfit(
                Said::new(
                    "sparse categorical cross-entropy takes integer labels, but these are vectors",
                    "稀疏分类交叉熵接受整数标签，而这些是向量",
                ),
                "use `kind = \"categorical-cross-entropy\"` in `[loss]`, or set `targets = \"integer\"` in `[preprocess]`",
            ));
        }
        _ => (),
    }
    let Some(classes) = data.class_count() else { return Ok(()) };
    match loss.target_form() {
        TargetForm::ClassIndex | TargetForm::ClassProbabilities if units < classes => Err(TrainError::unfit(
            Said::new(
                format!("the network tells {units} classes apart, the data has {classes}"),
                format!("网络区分 {units} 个类别，数据有 {classes} 个"),
            ),
            format!(
                "give the model a head of {classes} units, such as `head = [{{ class = \"Dense\", units = {classes}, activation = \"softmax\" }}]`"
            ),
        )),
        TargetForm::ClassProbabilities if units != classes => Err(TrainError::unfit(
            Said::new(
                format!("the network tells {units} classes apart, the data has {classes}"),
                format!("网络区分 {units} 个类别，数据有 {classes} 个"),
            ),
            format!("give the model a head of {classes} units, or set `classes = {units}` in `[data]`"),
        )),
        TargetForm::Binary if targets == TargetEncoding::Value && (units != 1 || classes > 2) => {
            Err(TrainError::unfit(
                Said::new(
                    format!(
                        "binary cross-entropy on class numbers takes two classes and one output, found {classes} and {units}"
                    ),
                    format!("对类别编号用二元交叉熵需要两个类别和一个输出，实际为 {classes} 和 {units}"),
                ),
                "use a categorical cross-entropy with softmax",
            ))
        }
        _ => Ok(data.check_labels_below(units.max(2))?),
    }
}
