//! Errors of data, and of their checks.

use super::of;
use retune::audit::AuditError;
use retune::data::DataError;
use retune::train::language::phrases::{chinese, filled};

/// Bad examples that are listed; more are counted.
const LISTED: usize = 10;

/// Errors of reading and preparing data.
pub fn data(error: &DataError) -> Option<String> {
    Some(match error {
        DataError::Io { path, source } => format!("无法读取 `{}`：{source}", path.display()),
        DataError::Format(error) => of(error.as_ref()),
        DataError::UnknownKind { path, found } => {
            filled("无法判断 `{}` 中是哪种数据：{}", &[&path.display().to_string(), found])
        }
        DataError::Malformed { path, place, expected, found, .. } => {
            filled("`{}`，{}：应为 {}，实际为 {}", &[&path.display().to_string(), place, expected, found])
        }
        DataError::BadExamples { origin, total, tolerance, bad } => {
            let mut text =
                format!("`{origin}` 的 {total} 个样本中有 {} 个无法使用（最多容忍 {tolerance} 个）：", bad.len());
            for bad in bad.iter().take(LISTED) {
                text += &format!("\n  `{}`：{}", chinese(&bad.place), chinese(&bad.reason));
            }
            if bad.len() > LISTED {
                text += &format!("\n  … 还有 {} 个", bad.len() - LISTED);
            }
            text
        }
        DataError::LabelOutOfRange { place, label, classes } => {
            let place = chinese(place);
            format!("{place}：应为 0..{classes} 中的标签，实际为 {label}")
        }
        DataError::ScoreOutOfRange { place, score, low, high } => {
            let place = chinese(place);
            format!("{place}：分数应在 {low} 到 {high} 之间，实际为 {score}")
        }
        DataError::EmptyClass { place, class } => filled("{} 的类别 `{}` 没有样本", &[place, class]),
        DataError::NoExamples { place } => filled("{} 中没有样本", &[place]),
        DataError::WrongShape { place, expected, found, .. } => {
            filled("{}：形状应为 {}，实际为 {}", &[place, expected, found])
        }
        DataError::CountMismatch { place, inputs, labels } => {
            format!("{}：有 {inputs} 个输入，却有 {labels} 个标签", chinese(place))
        }
        DataError::UnknownClass { place, class, .. } => filled("{} 中有训练集没有的类别 `{}`", &[place, class]),
        DataError::TooFewExamples { class, expected, found } => {
            format!("类别 `{class}` 只有 {found} 个样本，却要求 {expected} 个")
        }
        DataError::UnknownName { path, what, name, .. } => {
            let what = match *what {
                "column" => "列",
                "array" => "数组",
                "field" => "字段",
                other => other,
            };
            format!("`{}` 中没有名为 `{name}` 的{what}", path.display())
        }
        DataError::BadId { id, problem, len } => {
            format!("样本 {id} {}（数据有 {len} 个样本）", chinese(problem))
        }
        DataError::Setting { name, expected, found } => filled("`{}`：应为 {}，实际为 {}", &[name, expected, found]),
        DataError::Spool { folder, source } => format!("无法在 `{}` 中存放数据：{source}", folder.display()),
        DataError::Unreadable { place, reason } => filled("无法读取 `{}`：{}", &[place, reason]),
        DataError::NoSchema { place } => filled("{}：没有说明这个表格的各列是什么", &[place]),
        DataError::OtherData { path, expected, found } => {
            filled("`{}` 划分的是别的数据：应为 {}，实际为 {}", &[&path.display().to_string(), expected, found])
        }
        DataError::Tokenizer { reason } => filled("无法使用分词器：{}", &[reason]),
        DataError::NoTokenizer { place } => filled("{} 中是文本，却没有相应的分词器", &[place]),
        DataError::Write { path, source } => format!("无法写入 `{}`：{source}", path.display()),
        DataError::Copy { path, reason } => filled("无法复制 `{}` 的各行：{}", &[&path.display().to_string(), reason]),
        DataError::Changed { path } => format!("`{}` 的内容与片刻之前不同", path.display()),
        DataError::Panicked { message } => format!("准备批次时发生内部错误：{message}"),
        _ => return None,
    })
}

/// Errors of checking and cleaning.
pub fn audit(error: &AuditError) -> Option<String> {
    Some(match error {
        AuditError::Data(error) => of(error),
        AuditError::Io { action, path, source } => {
            let action = match *action {
                "read" => "读取",
                "write" => "写入",
                "copy" => "复制",
                "make" => "创建",
                other => other,
            };
            format!("无法{action} `{}`：{source}", path.display())
        }
        AuditError::TooMany { most, found } => format!("最多检查 {most} 个样本，实际有 {found} 个"),
        AuditError::Table { path, expected, found } => {
            filled("`{}`：应为 {}，实际为 {}", &[&path.display().to_string(), expected, found])
        }
        AuditError::OutputExists { path } => format!("`{}` 已经存在，不会被覆盖", path.display()),
        AuditError::Nested { output, data } => {
            format!("输出 `{}` 与数据 `{}` 互相包含", output.display(), data.display())
        }
        AuditError::Unsupported { path, found } => {
            filled("`{}` 无法清理：其中是 {}", &[&path.display().to_string(), found])
        }
        AuditError::NothingLeft { path, rows } => {
            format!("`{}` 将什么也不剩：这些规则会去掉它全部的 {rows} 行", path.display())
        }
        AuditError::NamesFiles { path, output } => {
            format!(
                "`{}` 以相对于其文件夹的路径指定图像文件，而 `{}` 在另一个文件夹中",
                path.display(),
                output.display()
            )
        }
        _ => return None,
    })
}
