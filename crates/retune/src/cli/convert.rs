//! `retune convert`: a model in another format, and the proof that it still computes the same.

use super::failure::Failure;
use super::{Context, Result, models, paths};
use retune::models::ModelError;
use retune::train::language::{Language, Said};
use retune::{Inference, Model, Tensor};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Examples of random input that both models are run on.
const BATCH: usize = 4;
/// Largest difference between outputs that is not an error: formats keep every bit, so this is generous.
const TOLERANCE: f32 = 1e-6;

/// Write a model in another format and compare the outputs of both.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: a file, a folder, or `hf://org/name`
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to write; its extension tells the format: .keras, .h5, .weights.h5
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,
    /// Seed of the random input
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Converts and compares.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let Arguments { input, output, force, seed } = arguments;
    paths::must_not_exist(output, *force)?;
    let (model, _) = models::load(context, input)?;
    let cpu = context.cpu();

    // The new file gets its name only after it has been read back and compared.
    let draft = Draft::beside(output);
    model.save(&draft.path).map_err(|error| match error {
        ModelError::Extension { .. } => ModelError::Extension { path: output.clone() },
        error => error,
    })?;
    let reread = reload(&model, &draft.path)?;
    let (mut before, mut after) = (Inference::new(&cpu, &model)?, Inference::new(&cpu, &reread)?);
    let inputs = before.random_inputs(BATCH, *seed);
    let difference = max_difference(&before.predict(&inputs)?, &after.predict(&inputs)?);
    if !matches!(difference, Some(d) if d <= TOLERANCE) {
        let found = difference.map_or(Said::new("of another shape", "形状不同"), |d| {
            Said::new(format!("different by up to {d:e}"), format!("相差可达 {d:e}"))
        });
        let failure = Failure::new(Said::new(
            format!("the outputs of the written model are {found}; nothing was kept"),
            format!("写出的模型与原模型的输出{}；没有保留任何文件", found.of(Language::Chinese)),
        ));
        return Err(failure.hint("this is a defect of retune; please report it with the model"));
    }
    let difference = difference.unwrap_or_default();
    std::fs::rename(&draft.path, output).map_err(|e| Failure::cannot_write(output, e))?;
    let (written, original) = (output.display(), input.display());
    let said = Said::new(
        format!(
            "wrote `{written}`; outputs on {BATCH} random inputs differ from those of `{original}` by at most {difference:e}"
        ),
        format!("已写入 `{written}`；在 {BATCH} 个随机输入上，其输出与 `{original}` 至多相差 {difference:e}"),
    );
    context.console.result(
        said.of(context.language),
        || json!({ "input": input, "output": output, "max_difference": difference, "examples": BATCH, "seed": seed }),
    );
    Ok(())
}

/// The model that a written file holds; of a file with weights only, the architecture is that of the original.
fn reload(model: &Model, written: &Path) -> Result<Model> {
    match Model::load(written) {
        Err(ModelError::NoDescription { .. }) => {
            let mut reread = model.clone();
            reread.weights.iter_mut().for_each(|weight| weight.value = Tensor::zeros(weight.value.shape()));
            reread.load_weights(written)?;
            Ok(reread)
        }
        loaded => Ok(loaded?.0),
    }
}

/// The largest absolute difference; `None` where shapes differ or a value is not a number on one side only.
fn max_difference(before: &[Tensor], after: &[Tensor]) -> Option<f32> {
    let mut largest = 0f32;
    for (a, b) in before.iter().zip(after) {
        if a.shape() != b.shape() {
            return None;
        }
        for (x, y) in a.to_f32_vec().into_iter().zip(b.to_f32_vec()) {
            match (x.is_nan(), y.is_nan()) {
                (false, false) if x == y => {}
                (false, false) => largest = largest.max((x - y).abs()),
                (true, true) => {}
                _ => return None,
            }
        }
    }
    (before.len() == after.len()).then_some(largest)
}

/// A file beside the one to write, of the same extension; removed unless it was renamed.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn beside(output: &Path) -> Draft {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        Draft { path: output.with_file_name(format!(".draft-{}-{name}", std::process::id())) }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename nothing is left to remove.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found() {
        let tensor = |values: &[f32]| vec![Tensor::new([values.len()], values.to_vec()).unwrap()];
        assert_eq!(max_difference(&tensor(&[1.0, f32::NAN]), &tensor(&[1.5, f32::NAN])), Some(0.5));
        assert_eq!(max_difference(&tensor(&[1.0]), &tensor(&[f32::NAN])), None);
        assert_eq!(max_difference(&tensor(&[1.0]), &tensor(&[1.0, 2.0])), None);
        assert_eq!(max_difference(&tensor(&[f32::INFINITY]), &tensor(&[f32::INFINITY])), Some(0.0));
        assert_eq!(max_difference(&tensor(&[1.0]), &[]), None);
    }
}
