//! Features of data by a frozen model, for judging labels.

use super::failure::Failure;
use super::progress::Progress;
use super::{Context, Result, models};
use retune::audit::collection::{Content, Item};
use retune::audit::findings::label_errors::ModelFeatures;
use retune::audit::probe::Features;
use retune::audit::{Collection, Said};
use std::path::Path;

/// The outputs of a model for the training part, one row an example.
pub fn compute(context: &Context, collection: &Collection, model: &Path) -> Result<ModelFeatures> {
    let Content::Examples(data) = &collection.parts()[0].content else {
        return Err(Failure::new(Said::new("a table has no features by a model", "无法用模型计算表格的特征"))
            .hint("leave `--features` out"));
    };
    let predictor = models::predictor(context, model)?;
    let mut bar = Progress::new(context.console, ("features", "特征")).bar_only();
    let outputs = predictor.outputs(data.clone(), &mut bar);
    bar.finish();
    let outputs = outputs?;
    let width = outputs.shape()[1..].iter().product();
    Ok(ModelFeatures {
        items: data.ids().into_iter().map(|id| id as Item).collect(),
        features: Features::dense(width, outputs.to_f32_vec()),
        source: Said::new(
            format!("the outputs of `{}`", model.display()),
            format!("模型 `{}` 的输出", model.display()),
        ),
    })
}
