//! Errors of recipes and runs.

use super::of;
use retune::train::TrainError;
use retune::train::language::Language;
use retune::train::language::phrases::{chinese, filled};
use retune::train::recipe::RecipeError;
use retune::train::recipe::document::Place;
use std::fmt::Write;

/// Errors of training, evaluation and a run's folder.
pub fn train(error: &TrainError) -> Option<String> {
    Some(match error {
        TrainError::Recipe(error) => recipe(error),
        TrainError::Model(error) => of(error.as_ref()),
        TrainError::Data(error) => of(error),
        TrainError::Graph(error) => of(error),
        TrainError::Cpu(error) => of(error),
        TrainError::Features { folder, error } => format!("无法在 `{}` 中保存冻结层的值：{error}", folder.display()),
        TrainError::Mismatch { what, expected, found } => filled("{}：应为 {}，实际为 {}", &[what, expected, found]),
        TrainError::Unfit { problem, .. } => problem.of(Language::Chinese).to_owned(),
        TrainError::Diverged { value, epoch, step, checkpoint } => {
            let checkpoint = checkpoint
                .as_deref()
                .map_or_else(String::new, |path| format!("；最后一个完好的检查点是 `{}`", path.display()));
            format!("第 {epoch} 轮第 {step} 步的损失为 {value}：训练已发散{checkpoint}")
        }
        TrainError::Read { path, source } => format!("无法读取 `{}`：{source}", path.display()),
        TrainError::Write { path, source } => format!("无法写入 `{}`：{source}", path.display()),
        TrainError::SaveTensors { path, source } => format!("无法写入 `{}`：{}", path.display(), of(source.as_ref())),
        TrainError::Damaged { path, reason } => format!("`{}` 已损坏：{}", path.display(), chinese(reason)),
        TrainError::Locked { path } => format!("`{}` 正被另一个进程使用", path.display()),
        TrainError::RunExists { path } => format!("`{}` 中已有一次运行", path.display()),
        TrainError::NoRun { path, reason } => {
            format!("`{}` 中没有可以继续的运行：{}", path.display(), chinese(reason))
        }
        TrainError::Changed { what, before, now } => {
            filled("运行开始之后，{} 变了：原为 {}，现为 {}", &[what, before, now])
        }
        _ => return None,
    })
}

/// All problems of a recipe, each with its place; the hints stay marked as such.
pub fn recipe(error: &RecipeError) -> String {
    let count = error.problems.len();
    let mut text = format!("{}有 {count} 个问题", error.whereabouts().of(Language::Chinese));
    for problem in &error.problems {
        text += "\n  ";
        let _ = match &problem.place {
            Place::Text(range) => {
                let (line, column) = error.line_and_column(range.start);
                write!(text, "第 {line} 行第 {column} 列：")
            }
            Place::Override(set) => write!(text, "`--set {set}`："),
            Place::Absent => Ok(()),
        };
        if !problem.key.is_empty() {
            let _ = write!(text, "`{}`：", problem.key);
        }
        text += problem.message.of(Language::Chinese);
        if let Some(hint) = &problem.hint {
            let _ = write!(text, "\n    hint: {hint}");
        }
    }
    text
}
