//! What a model is trained for: labels of texts, of their words or of images by a head that fits the data, or the comparison of texts
//! by their vectors.

use crate::error::TrainError;
use crate::language::{Language, Said};
use crate::said;
use retune_data::{Dataset, LabelKind, LabelType};
use retune_graph::ops::sequence::Pooling;
use retune_models::{Model, Task};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A task that is asked for, where the labels do not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TaskKind {
    /// How alike two texts are, by the cosine of their vectors, against a score that is brought to 0 to 1. With the mean squared
    /// error this is `CosineSimilarityLoss` of sentence-transformers. Reimers and Gurevych, *Sentence-BERT*, 2019.
    Similarity,
    /// One of several labels for each word of a text, by the first of its tokens; the other tokens have no part in the loss. This is
    /// what `AutoModelForTokenClassification` and `run_ner.py` of transformers do.
    TokenClassification,
}

impl TaskKind {
    /// What the labels of such data are.
    pub fn labels(self) -> LabelType {
        match self {
            TaskKind::Similarity => LabelType::Real,
            TaskKind::TokenClassification => LabelType::WordClass,
        }
    }
}

/// How an encoder of texts makes one row of a text's tokens, by the names of sentence-transformers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PoolingKind {
    /// The mean of all tokens' rows.
    Mean,
    /// The first token's row.
    Cls,
    /// The last token's row.
    LastToken,
    /// The head that transformers gives a classifier of the architecture; of BERT, the first token's row through the pooler.
    Pooler,
}

impl PoolingKind {
    /// The pooling; `None` for the architecture's own head.
    pub fn pooling(self) -> Option<Pooling> {
        match self {
            PoolingKind::Mean => Some(Pooling::Mean),
            PoolingKind::Cls => Some(Pooling::First),
            PoolingKind::LastToken => Some(Pooling::Last),
            PoolingKind::Pooler => None,
        }
    }
}

/// What is asked of a model besides what its labels tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// What it is trained for. `None`: told from the labels.
    pub task: Option<TaskKind>,
    /// What a head for texts stands on. `None`: the pooling module of the model's folder, else the architecture's own head.
    pub pooling: Option<PoolingKind>,
}

/// A model for data, with remarks about its head for the user.
#[derive(Debug)]
pub struct Fitted {
    /// The model.
    pub model: Model,
    /// What was decided about its head.
    pub notes: Vec<Said>,
    /// Whether that is a new one, of which the pretrained model knows nothing.
    pub is_new_head: bool,
}

/// The model for the task that is asked for, or else with a head for the labels of the data, where it is one with a task: its own
/// head where that has the same labels, else a new one drawn from `seed`. Models of Keras have layers instead.
///
/// A head of as many labels as the data is kept where either's have no names (numbers, `LABEL_0`): they are taken for one another.
///
/// # Errors
/// A model that takes no other head, a task or pooling that does not go with the model or the data.
pub fn for_data(mut model: Model, data: &Dataset, asked: Asked, seed: u64) -> Result<Fitted, TrainError> {
    let Asked { task: asked, pooling } = asked;
    if asked == Some(TaskKind::Similarity) {
        check_similarity(&model, data)?;
        if pooling == Some(PoolingKind::Pooler) {
            return Err(TrainError::unfit(
                (
                    "similarity is that of pooled vectors, but `pooler` asks for the head of a classifier",
                    "相似度取自池化后的向量，而 `pooler` 要的是分类器的头",
                ),
                "set `model.pooling` to `mean`, `cls` or `lasttoken`, or leave it out",
            ));
        }
    }
    let has_words = matches!(data.label_kind(), LabelKind::WordClasses { .. });
    if asked == Some(TaskKind::TokenClassification) && !has_words {
        return Err(TrainError::unfit(
            said!("the words of `{data}` have no labels", "`{data}` 的词没有标签", data = data.description()),
            "give a word and its label a line, or lists of both in `.jsonl`",
        ));
    }
    if let (true, Some(_)) = (has_words, pooling) {
        return Err(TrainError::unfit(
            (
                "`model.pooling` is for labels of whole texts, but the labels are those of words",
                "`model.pooling` 用于整段文本的标签，而这里是词的标签",
            ),
            "leave it out",
        ));
    }
    if let Some(pooling) = pooling {
        model = model.with_pooling(pooling.pooling(), seed)?;
    }
    let had_head = model.task().is_some_and(|task| task.outputs().is_some());
    let (model, head_note, is_new_head) = with_head(model, data, asked, seed)?;
    let is_of_texts =
        model.max_tokens().is_some() && !has_words && model.task().is_some_and(|task| task.outputs().is_some());
    let pooling_note = match (model.pooling(), pooling) {
        (Some(own), None) if is_of_texts && !had_head => {
            let (english, chinese) = pooled(own);
            Some(Said::new(
                format!(
                    "the head stands on {english}, as the model's folder pools texts; vectors are not normalized for it; \
                     `model.pooling = \"pooler\"` asks for the architecture's own head"
                ),
                format!(
                    "头接在{chinese}上，与模型文件夹的池化一致；向量不为它做归一化；\
                     `model.pooling = \"pooler\"` 则使用架构自带的头"
                ),
            ))
        }
        (Some(own), Some(_)) if is_of_texts => {
            let (english, chinese) = pooled(own);
            Some(Said::new(format!("the head stands on {english}"), format!("头接在{chinese}上")))
        }
        (None, Some(_)) if is_of_texts => Some(("the head is the architecture's own", "头是架构自带的").into()),
        _ => None,
    };
    Ok(Fitted { model, notes: head_note.into_iter().chain(pooling_note).collect(), is_new_head })
}

/// A pooling in words, English and Chinese.
fn pooled(pooling: Pooling) -> (&'static str, &'static str) {
    match pooling {
        Pooling::Mean => ("the mean of all tokens", "全部词元的平均值"),
        Pooling::First => ("the first token", "第一个词元 "),
        Pooling::Last => ("the last token", "最后一个词元 "),
    }
}

/// The model with the head for its task, why that head is another or has other names than before, and whether it is a new one.
fn with_head(
    model: Model,
    data: &Dataset,
    asked: Option<TaskKind>,
    seed: u64,
) -> Result<(Model, Option<Said>, bool), TrainError> {
    let Some(task) = model.task() else { return Ok((model, None, false)) };
    let numbered = |classes: usize| match data.class_names() {
        Some(names) => names.to_vec(),
        None if task.labels().len() == classes => task.labels().to_vec(),
        None => (0..classes).map(|class| class.to_string()).collect(),
    };
    let wanted = match data.label_kind() {
        _ if asked == Some(TaskKind::Similarity) => task.similarity(),
        LabelKind::ClassIndex { classes } | LabelKind::OneHot { classes } => {
            Task::Classification { labels: numbered(classes) }
        }
        LabelKind::MultiHot { classes } => Task::MultiLabel { labels: numbered(classes) },
        LabelKind::WordClasses { classes } => Task::TokenClassification { labels: numbered(classes) },
        LabelKind::Real { shape } => Task::Regression { values: shape.iter().product() },
        LabelKind::None => return Ok((model, None, false)),
    };
    if wanted == *task {
        return Ok((model, None, false));
    }
    let (own, given) = (task.labels(), wanted.labels());
    let is_same_kind = std::mem::discriminant(task) == std::mem::discriminant(&wanted);
    if is_same_kind && own.len() == given.len() && task.has_numbered_labels() {
        let [english, chinese] = [Language::English, Language::Chinese].map(|language| list(given, language));
        let note = Said::new(
            format!("the model's labels have no names: its head is kept, its outputs are taken for {english}"),
            format!("模型的标签没有名称：保留它的头，其输出当作 {chinese}"),
        );
        let names = given.to_vec();
        return Ok((model.with_labels(names)?, Some(note), false));
    }
    let note = match (own, given) {
        ([], _) | (_, []) => None,
        (own, given) if is_same_kind => {
            let [own, given] = [own, given].map(|names| [Language::English, Language::Chinese].map(|l| list(names, l)));
            Some(Said::new(
                format!("a new head is drawn: the model's labels are {}, the data's {}", own[0], given[0]),
                format!("重新初始化头：模型的标签是 {}，数据的标签是 {}", own[1], given[1]),
            ))
        }
        _ => Some(Said::new(
            "a new head is drawn: the model's labels are of another kind than the data's",
            "重新初始化头：模型的标签与数据的标签不是同一类",
        )),
    };
    let has_head = wanted.outputs().is_some();
    Ok((model.with_task(wanted, seed)?, note, has_head))
}

/// Names of labels, the first of them where there are many.
fn list(names: &[String], language: Language) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let (shown, count) = (shown.join(if language == Language::Chinese { "、" } else { ", " }), names.len());
    match language {
        _ if count <= SHOWN => shown,
        Language::Chinese => format!("{shown}……（共 {count} 个）"),
        _ => format!("{shown}, … ({count} in all)"),
    }
}

/// The names of the model's labels, where all of the data's are among them but in another order: classes are then to be numbered
/// as the model does it, so that its head can be kept.
pub fn label_order(model: &Model, data: &Dataset) -> Option<Vec<String>> {
    let (known, found) = (model.task()?.labels(), data.class_names()?);
    data.texts()?;
    let is_known = !known.is_empty() && found.iter().all(|name| known.contains(name));
    (is_known && found != known).then(|| known.to_vec())
}

/// The model as it is used on the data: one that gives a vector for each text compares the two of a pair.
///
/// # Errors
/// Never for a model that gives vectors of texts.
pub fn used_on<'a>(model: &'a Model, data: &Dataset) -> Result<Cow<'a, Model>, TrainError> {
    let are_pairs = data.texts().is_some_and(|texts| texts.second.is_some());
    match model.task() {
        Some(task @ Task::Embedding { .. }) if are_pairs => Ok(Cow::Owned(model.with_task(task.similarity(), 0)?)),
        _ => Ok(Cow::Borrowed(model)),
    }
}

/// The lowest and the highest score of all parts of the data.
///
/// # Errors
/// Scores that are all equal, which say nothing about how alike texts can be.
pub fn score_range<'a>(parts: impl IntoIterator<Item = (&'a Dataset, &'a [u64])>) -> Result<[f32; 2], TrainError> {
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for (data, ids) in parts {
        for &score in ids.iter().filter_map(|&id| data.labels().row(id as usize)).flatten() {
            (low, high) = (low.min(score), high.max(score));
        }
    }
    if low < high {
        return Ok([low, high]);
    }
    Err(TrainError::unfit(
        said!("all scores of the pairs are {low}", "所有文本对的分数都是 {low}"),
        "give the lowest and the highest score there may be with `score-range` in `[preprocess]`",
    ))
}

/// Pairs of texts with a score each, for an encoder of texts.
fn check_similarity(model: &Model, data: &Dataset) -> Result<(), TrainError> {
    let is_encoder = model.task().is_some() && model.max_tokens().is_some();
    if !is_encoder {
        return Err(TrainError::unfit(
            ("similarity is learned from texts, but the model takes none", "相似度从文本学习，而模型不接受文本"),
            "use a folder with a text encoder and its `tokenizer.json`",
        ));
    }
    let Some(texts) = data.texts() else { return Ok(()) };
    if texts.second.is_none() {
        return Err(TrainError::unfit(
            said!(
                "similarity is that of two texts, but `{data}` has one in each example",
                "相似度是两段文本之间的，而 `{data}` 的每个样本只有一段",
                data = data.description()
            ),
            "name the columns of both with `text` and `text-pair` in `[data]`",
        ));
    }
    match data.label_kind() {
        LabelKind::Real { shape } if shape.iter().product::<usize>() == 1 => Ok(()),
        kind => Err(TrainError::unfit(
            said!(
                "similarity is learned from a score for each pair, but the labels of `{data}` are {kind:?}",
                "相似度从每对文本的分数学习，而 `{data}` 的标签是 {kind:?}",
                data = data.description()
            ),
            "name the column of scores with `label` in `[data]`, and set `labels = \"real\"` there",
        )),
    }
}
