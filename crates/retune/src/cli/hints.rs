//! What to do about an error, in Chinese. Errors come from all crates in English; their hints are known here, each with the places of
//! its values as `{}`, and said in Chinese with the values filled in. A hint that is not known stays in English.

/// A hint in English and in Chinese, with the same number of `{}`, values in the same order.
const HINTS: &[(&str, &str)] = &[
    ("did you mean {}?", "您是否想用 {}？"),
    ("leave it out", "请去掉它"),
    ("name it", "请指定它"),
    ("order them", "请按顺序排列"),
    ("check its numbers", "请检查其中的数字"),
    ("choose another name", "请换一个名称"),
    ("choose another name, or replace it with `--force`", "请换一个名称，或用 `--force` 覆盖"),
    ("choose a folder beside the data", "请选择数据旁边的文件夹"),
    (
        "tables, JSON, Parquet, Arrow, lines of texts, and folders of texts or images can be",
        "可以清理的有：表格、JSON、Parquet、Arrow、文本行，以及文本或图像的文件夹",
    ),
    ("write the new table beside the old one, or clean the whole folder", "请把新表格写在旧表格旁边，或清理整个文件夹"),
    (
        "choose another folder with `--output`, or remove the runs in this one",
        "请用 `--output` 另选文件夹，或删除其中的运行",
    ),
    ("check the data in several pieces", "请把数据分成几份检查"),
    ("name fewer rules with `--drop`", "请用 `--drop` 指定较少的规则"),
    ("start again when nothing writes to it", "请在没有程序写入时重试"),
    ("mend or remove them, or set the tolerance to at least {}", "请修复或删除它们，或把容忍数设为至少 {}"),
    ("mend it, or say with `header = false` that there are none", "请修正它，或用 `header = false` 表示没有列名"),
    (
        "give the character between columns with `delimiter`, if it is another",
        "如果列之间是其他字符，请用 `delimiter` 指定",
    ),
    ("it may have been cut short or damaged; fetch or write it again", "文件可能不完整或已损坏；请重新下载或写入"),
    ("write one object a line, or one array", "请每行写一个对象，或写成一个数组"),
    ("parts of one table have the same columns in the same order", "同一表格的各部分应有相同且顺序一致的列"),
    (
        "fetch all files of a part, and name each part of one file as `train.csv`",
        "请下载该部分的全部文件；只有一个文件的部分请命名为 `train.csv` 的形式",
    ),
    (
        "name a folder with room for them with `spool-folder`, or keep them in memory with `storage = \"memory\"`",
        "请用 `spool-folder` 指定有足够空间的文件夹，或用 `storage = \"memory\"` 放在内存中",
    ),
    ("labels are counted from 0; check the number of classes", "标签从 0 开始计数；请检查类别数"),
    ("add examples, or remove the class", "请增加样本，或去掉该类别"),
    ("each input needs exactly one label", "每个输入恰好需要一个标签"),
    ("known classes are {}", "已知的类别有 {}"),
    ("ask for at most {} per class", "每个类别最多可要 {} 个"),
    ("it has {}", "它有 {}"),
    ("was this list made for other data?", "这个列表是为其他数据制作的吗？"),
    ("use a model with a `tokenizer.json`", "请使用带 `tokenizer.json` 的模型"),
    ("this is a defect; please report it", "这是一个缺陷，请报告"),
    ("this is a defect of retune", "这是 retune 的缺陷"),
    ("this is a defect of retune; please report it with the model", "这是 retune 的缺陷，请连同模型一起报告"),
    ("write `hf://org/name` or `hf://org/name@revision`", "请写成 `hf://org/name` 或 `hf://org/name@revision`"),
    (
        "check the spelling; a private model needs a token in `HF_TOKEN`",
        "请检查拼写；私有模型需要在 `HF_TOKEN` 中提供令牌",
    ),
    (
        "set `HF_TOKEN` to a token that may read it, and check the spelling",
        "请把 `HF_TOKEN` 设为有读取权限的令牌，并检查拼写",
    ),
    ("accept its conditions on its page at {}, then set `HF_TOKEN`", "请在页面 {} 上接受其条件，然后设置 `HF_TOKEN`"),
    (
        "check the connection, `HF_ENDPOINT` and the proxy; with `HF_HUB_OFFLINE=1` models in the cache are used",
        "请检查网络连接、`HF_ENDPOINT` 和代理；设置 `HF_HUB_OFFLINE=1` 则使用缓存中的模型",
    ),
    ("try again later; the file is not used", "请稍后再试；该文件不会被使用"),
    ("unset `HF_HUB_OFFLINE` once to fetch it", "请取消 `HF_HUB_OFFLINE` 以下载一次"),
    ("add `--online` to fetch it from {}, once", "请加上 `--online` 从 {} 下载一次"),
    (
        "load the model that the weights belong to, then load these weights into it",
        "请先加载权重所属的模型，再把这些权重加载进去",
    ),
    ("use a model whose `model_type` is one of {}", "请使用 `model_type` 为 {} 之一的模型"),
    (
        "networks known by their tensors are {}; a folder with `config.json` says what it holds",
        "可由张量识别的网络有 {}；带 `config.json` 的文件夹会说明其内容",
    ),
    ("give the input's shape when the network is built", "请在构建网络时给出输入的形状"),
    (
        "use `.keras`, `.h5` or `.weights.h5` for models of Keras, `.pth` or `.safetensors` for weights with PyTorch's names",
        "Keras 模型请用 `.keras`、`.h5` 或 `.weights.h5`，PyTorch 命名的权重请用 `.pth` 或 `.safetensors`",
    ),
    ("call `data` before `train`", "请在 `train` 之前调用 `data`"),
    (
        "leave it out, or use data of two classes or of labels that do not exclude one another",
        "请去掉它，或使用两个类别的数据，或使用不互斥标签的数据",
    ),
    ("training takes networks of one input", "训练只接受单输入的网络"),
    (
        "training takes networks of one output; cut the model off at one of them",
        "训练只接受单输出的网络；请在其中一个输出处截断模型",
    ),
    ("use data of the model's shape, or another model", "请使用与模型形状相符的数据，或换一个模型"),
    ("the values are images: set {} in `[data]`", "这些值是图像：请在 `[data]` 中设置 {}"),
    ("set {} in `[preprocess]`", "请在 `[preprocess]` 中设置 {}"),
    (
        "name the column of texts with `text` in `[data]`, or use a model for these inputs",
        "请在 `[data]` 中用 `text` 指定文本列，或使用适合这些输入的模型",
    ),
    ("use a folder with a text encoder and its `tokenizer.json`", "请使用含文本编码器及其 `tokenizer.json` 的文件夹"),
    (
        "give words with labels, a word a line or lists in `.jsonl`; or set `labels = \"word-class\"` in `[data]`",
        "请提供带标签的词，每行一个词或 `.jsonl` 中的列表；或在 `[data]` 中设置 `labels = \"word-class\"`",
    ),
    (
        "set `from-logits = true` in `[loss]`, or give the last layer `activation = \"softmax\"`",
        "请在 `[loss]` 中设置 `from-logits = true`，或给最后一层设置 `activation = \"softmax\"`",
    ),
    (
        "set `from-logits = false` in `[loss]`, or leave {} out of the last layer",
        "请在 `[loss]` 中设置 `from-logits = false`，或去掉最后一层的 {}",
    ),
    (
        "use `sparse-categorical-cross-entropy` or `categorical-cross-entropy`, or end the network in sigmoid",
        "请使用 `sparse-categorical-cross-entropy` 或 `categorical-cross-entropy`，或让网络以 sigmoid 结尾",
    ),
    (
        "use `binary-cross-entropy`, or end the network in softmax",
        "请使用 `binary-cross-entropy`，或让网络以 softmax 结尾",
    ),
    (
        "give data with labels, one folder per class, or a column of labels",
        "请提供带标签的数据：每类一个文件夹，或一列标签",
    ),
    (
        "use `kind = \"sparse-categorical-cross-entropy\"` in `[loss]`",
        "请在 `[loss]` 中使用 `kind = \"sparse-categorical-cross-entropy\"`",
    ),
    (
        "use `kind = \"sparse-categorical-cross-entropy\"` in `[loss]`, or set `targets = \"one-hot\"` in `[preprocess]`",
        "请在 `[loss]` 中使用 `kind = \"sparse-categorical-cross-entropy\"`，或在 `[preprocess]` 中设置 `targets = \"one-hot\"`",
    ),
    (
        "use `kind = \"categorical-cross-entropy\"` in `[loss]`, or set `targets = \"integer\"` in `[preprocess]`",
        "请在 `[loss]` 中使用 `kind = \"categorical-cross-entropy\"`，或在 `[preprocess]` 中设置 `targets = \"integer\"`",
    ),
    ("give the model a head of {} units, such as {}", "请给模型一个 {} 个单元的头，例如 {}"),
    ("give the model a head of {} units, or set {} in `[data]`", "请给模型一个 {} 个单元的头，或在 `[data]` 中设置 {}"),
    ("use a categorical cross-entropy with softmax", "请使用带 softmax 的分类交叉熵"),
    ("name two models or more", "请指定两个或更多模型"),
    ("compare models that were trained for the same labels", "请比较为相同标签训练的模型"),
    (
        "name another folder with `train.cache-folder`, or set `train.cache = false`",
        "请用 `train.cache-folder` 指定其他文件夹，或设置 `train.cache = false`",
    ),
    (
        "lower the learning rate, clip gradients (`clip-norm = 1.0`), or check the inputs for extreme values{}",
        "请降低学习率、裁剪梯度（`clip-norm = 1.0`），或检查输入中的极端值{}",
    ),
    (
        "what was saved before is unharmed; make room or check the rights, then resume",
        "之前保存的内容完好；请腾出空间或检查权限，然后继续",
    ),
    ("wait until it ends, or choose another output folder", "请等它结束，或另选输出文件夹"),
    ("resume it with {}, or choose another output folder", "请用 {} 继续，或另选输出文件夹"),
    ("put it back, or begin a new run", "请恢复原状，或开始新的运行"),
    ("it may be `en` or `zh`", "可以是 `en` 或 `zh`"),
    ("it may be {}", "可以是 {}"),
    (
        "give texts of words, and a model that was trained on labelled words",
        "请提供分词的文本，以及在带标签的词上训练的模型",
    ),
    ("check the recipe's values", "请检查配方中的值"),
    ("check the layer's attributes", "请检查该层的属性"),
    ("name `model.head-after`", "请指定 `model.head-after`"),
    ("name `model.head`", "请指定 `model.head`"),
    ("give labels that the model has", "请提供模型已有的标签"),
    (
        "name one with `data.validation`, or take a share with `validation = 0.1` in `[split]`",
        "请用 `data.validation` 指定一个，或在 `[split]` 中用 `validation = 0.1` 划出一部分",
    ),
    ("for example {}", "例如 {}"),
    ("give one number per channel for each", "请为每个通道各给一个数"),
    ("leave `method.prompt-text` out", "请去掉 `method.prompt-text`"),
    (
        "raise `train.epochs`, lower `method.head-epochs`, or use `kind = \"head\"`",
        "请增大 `train.epochs`、减小 `method.head-epochs`，或使用 `kind = \"head\"`",
    ),
    ("name a pretrained model, such as {}", "请指定预训练模型，例如 {}"),
    ("name the data, such as {}", "请指定数据，例如 {}"),
    (
        "keep one of the two; new layers behind a model are its `head`",
        "两者只保留其一；接在模型之后的新层是它的 `head`",
    ),
    ("add {} to `[model]`, or leave it out", "请在 `[model]` 中加入 {}，或去掉它"),
    ("add {}", "请加入 {}"),
    ("each layer is a table such as {}", "每一层是一个表，例如 {}"),
    ("set {}, the method it belongs to, or leave it out", "请设置它所属的方法 {}，或去掉它"),
    ("it belongs to {}", "它属于 {}"),
    ("give inputs of one size", "请提供同样大小的输入"),
    ("set `cache-precision = \"f32\"` in `[train]`", "请在 `[train]` 中设置 `cache-precision = \"f32\"`"),
    ("unfreeze some layers, or add a new head", "请解冻一些层，或加一个新的头"),
    ("freeze its layer", "请冻结它所在的层"),
    ("give a source with labels", "请提供带标签的数据"),
    ("say in the recipe's `[preprocess]` how inputs are prepared", "请在配方的 `[preprocess]` 中说明输入如何准备"),
    (
        "set `model.pooling` to `mean`, `cls` or `lasttoken`, or leave it out",
        "请把 `model.pooling` 设为 `mean`、`cls` 或 `lasttoken`，或去掉它",
    ),
    (
        "give a word and its label a line, or lists of both in `.jsonl`",
        "请每行给一个词及其标签，或在 `.jsonl` 中给出两者的列表",
    ),
    (
        "give the lowest and the highest score there may be with `score-range` in `[preprocess]`",
        "请在 `[preprocess]` 中用 `score-range` 给出分数的最低值和最高值",
    ),
    (
        "check the score, or give the lowest and the highest one with `score-range`",
        "请检查分数，或用 `score-range` 给出最低值和最高值",
    ),
    (
        "name the columns of both with `text` and `text-pair` in `[data]`",
        "请在 `[data]` 中用 `text` 和 `text-pair` 指定两列",
    ),
    (
        "name the column of scores with `label` in `[data]`, and set `labels = \"real\"` there",
        "请在 `[data]` 中用 `label` 指定分数列，并设置 `labels = \"real\"`",
    ),
    ("put the `tokenizer.json` that belongs to the model into its folder", "请把模型的 `tokenizer.json` 放入其文件夹"),
    ("let each stage train what those before it do", "请让每个阶段都训练之前阶段训练的部分"),
    (
        "for a model trained on 0–1, add `--scale 0.00392156862745098`",
        "对在 0–1 上训练的模型，请加上 `--scale 0.00392156862745098`",
    ),
    (
        "they are the same in another order; give the data their labels by the model's numbers",
        "两者相同但顺序不同；请按模型的编号给数据标签",
    ),
    (
        "the data lack {}: add an (empty) folder or a row for each, so that classes are numbered alike",
        "数据缺少 {}：请为每个加一个（空）文件夹或一行，使类别编号一致",
    ),
    ("the model does not know {}: leave these items out", "模型不认识 {}：请去掉这些样本"),
    ("metrics are {}", "指标有 {}"),
    ("leave `--features` out", "请去掉 `--features`"),
    ("paths are taken from {}", "路径从 {} 算起"),
    ("texts go to a model folder with a `tokenizer.json`", "文本需要带 `tokenizer.json` 的模型文件夹"),
    ("stack the arrays, or call `predict` for each", "请把数组叠在一起，或分别调用 `predict`"),
    ("--model MODEL --data DATA", "--model 模型 --data 数据"),
    ("call `predict` for each", "请对每个文件分别运行 `predict`"),
    ("`preview` shows texts, and images of 1 or 3 channels", "`preview` 显示文本，以及单通道或三通道的图像"),
    ("`preview` shows images of 1 or 3 channels", "`preview` 显示单通道或三通道的图像"),
    ("name a file that ends in .html; the PNG is written beside it", "请指定以 .html 结尾的文件，PNG 将写在它旁边"),
    ("name a file for them with `--output y.npy`", "请用 `--output y.npy` 指定文件"),
    (
        "models saved by `retune fit` do; for others, give prepared inputs as `.npy`, or fine-tune the model first",
        "由 `retune fit` 保存的模型可以；其他模型请以 `.npy` 给出准备好的输入，或先微调模型",
    ),
    (
        "use a model for whole texts, or fine-tune this one on labelled texts",
        "请使用针对整段文本的模型，或先在带标签的文本上微调",
    ),
    ("name a file with `.npy` or `.jsonl` at its end", "请指定以 `.npy` 或 `.jsonl` 结尾的文件"),
    ("name folders with a `run.json`, or one folder of runs", "请指定含 `run.json` 的文件夹，或一个运行的总文件夹"),
    (
        "name a folder with a `run.json`; `retune runs` lists them",
        "请指定含 `run.json` 的文件夹；`retune runs` 会列出它们",
    ),
    ("go on with {}", "用 {} 继续"),
    ("give a recipe, or a model and data", "请给出配方，或模型和数据"),
    ("retune check {}", "retune check {}"),
];

/// The hint in Chinese; as it is where it is not known.
pub fn chinese(hint: &str) -> String {
    let known = HINTS.iter().filter_map(|(english, chinese)| Some((values(english, hint)?, english, chinese)));
    // The template that says most of the hint itself.
    let best = known.max_by_key(|(_, english, _)| english.len());
    best.map_or_else(|| hint.to_owned(), |(values, _, chinese)| filled(chinese, &values))
}

/// What stands at the places of the template; `None` where the text is another.
fn values<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = template.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut values = Vec::new();
    let parts: Vec<&str> = parts.collect();
    for (place, part) in parts.iter().enumerate() {
        let is_last = place + 1 == parts.len();
        let at = match (is_last, part.is_empty()) {
            (true, _) if rest.ends_with(part) => rest.len() - part.len(),
            (false, false) => rest.find(part)?,
            _ => return None,
        };
        values.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(values)
}

fn filled(template: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut parts = template.split("{}");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += values.next().copied().unwrap_or_default();
        out += part;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn values_are_carried_over() {
        assert_eq!(chinese("did you mean `accuracy`?"), "您是否想用 `accuracy`？");
        assert_eq!(
            chinese("resume it with `retune resume runs/a`, or choose another output folder"),
            "请用 `retune resume runs/a` 继续，或另选输出文件夹"
        );
        assert_eq!(
            chinese("add `task = \"similarity\"` to `[model]`, or leave it out"),
            "请在 `[model]` 中加入 `task = \"similarity\"`，或去掉它"
        );
        assert_eq!(chinese("something nobody translated"), "something nobody translated");
    }

    #[test]
    fn both_languages_have_as_many_values() {
        for (english, chinese) in HINTS {
            assert!(!chinese.is_empty());
            assert_eq!(english.matches("{}").count(), chinese.matches("{}").count(), "{english}");
        }
    }

    /// Hints as they stand in the sources of the command line and of training, values replaced by a word.
    fn hints_in_sources() -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["src", "../retune-train/src"] {
            let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("hints.rs")
                    {
                        collect(&std::fs::read_to_string(&path).unwrap(), &mut found);
                    }
                }
            }
        }
        found
    }

    /// Literals behind `.hint(` and `\nhint: ` of a source, up to its tests.
    fn collect(source: &str, found: &mut Vec<String>) {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for (mark, ends_literal) in [(".hint(", false), ("\\nhint: ", true)] {
            for (at, _) in source.match_indices(mark) {
                let rest = source[at + mark.len()..].trim_start().trim_start_matches("format!(").trim_start();
                let text = match (ends_literal, rest.strip_prefix('"')) {
                    (true, _) => rest,
                    (false, Some(literal)) => literal,
                    (false, None) => continue,
                };
                // What is a value alone is made elsewhere.
                found.extend(literal(text).filter(|text| text.len() > 1));
            }
        }
    }

    /// A literal up to its closing quote, as it is when the program runs, with `X` for values.
    fn literal(text: &str) -> Option<String> {
        let (mut out, mut characters) = (String::new(), text.chars().peekable());
        while let Some(character) = characters.next() {
            match character {
                '"' => return Some(out),
                '\\' => match characters.next()? {
                    '\n' => while characters.next_if(|c| c.is_whitespace()).is_some() {},
                    'n' => out.push('\n'),
                    other => out.push(other),
                },
                '{' if characters.next_if_eq(&'{').is_some() => out.push('{'),
                '{' => {
                    while characters.next()? != '}' {}
                    out.push('X');
                }
                '}' => {
                    characters.next_if_eq(&'}');
                    out.push('}');
                }
                other => out.push(other),
            }
        }
        None
    }

    #[test]
    fn every_hint_of_the_command_line_and_of_training_is_known_in_chinese() {
        let hints = hints_in_sources();
        assert!(hints.len() > 25, "{}", hints.len());
        let unknown: Vec<&String> =
            hints.iter().filter(|hint| chinese(hint) == **hint && !hint.starts_with("retune")).collect();
        assert!(unknown.is_empty(), "add these to HINTS, with their Chinese text: {unknown:#?}");
    }
}
