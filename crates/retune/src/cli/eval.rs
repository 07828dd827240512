//! `retune eval`: metrics of a model on labelled data, each with its 95 % interval.

use super::failure::Failure;
use super::labelled::{Labelled, metric};
use super::outcome::{estimate_text, types_text};
use super::progress::Progress;
use super::text::{self, Table};
use super::{Context, Result, models};
use retune::train::language::Said;
use retune::train::metrics::entities::by_type;
use retune::train::metrics::{Metric, Resampling, bootstrap_all};
use retune::train::views::Views;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Measure a model on labelled data.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: a file, a folder, or `hf://org/name`
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Labelled data; its test part where it has one
    #[arg(long, value_name = "DATA")]
    data: PathBuf,
    /// Metrics to compute, such as accuracy, top-5-accuracy, f1-macro, roc-auc, r2 [default: what suits the data]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    metrics: Vec<String>,
    /// Shape of one input where the data does not keep it, such as 8,8,1
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    input_shape: Option<Vec<usize>>,
    /// Look at each image several times and take the mean of the probabilities: `mirrored` (also left to right), `flipped` (also top
    /// to bottom, and both)
    #[arg(long, value_name = "VIEWS")]
    test_time_augmentation: Option<Views>,
    /// Seed of the intervals' resampling
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Evaluates.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let named = arguments.metrics.iter().map(|name| metric(name)).collect::<Result<Vec<_>>>()?;
    let views = arguments.test_time_augmentation.unwrap_or_default();
    let predictor = models::predictor(context, &arguments.model)?.with_views(views);
    let Labelled { part, data } = Labelled::open(&predictor, &arguments.data, arguments.input_shape.as_deref())?;
    let mut bar = Progress::new(context.console, ("evaluating", "评估")).bar_only();
    let scored = predictor.evaluate(data, None, None, &mut bar)?;
    bar.finish();
    let metrics = if named.is_empty() { Metric::defaults(scored.problem()) } else { named };
    let mut table = Table::new(&[]);
    let mut object = serde_json::Map::new();
    let estimates = bootstrap_all(&metrics, &scored, &Resampling::new(arguments.seed));
    for (metric, estimate) in metrics.into_iter().zip(estimates) {
        let Some(estimate) = estimate else {
            return Err(Failure::new(Said::new(
                format!("`{metric}` has no meaning for this model and data"),
                format!("`{metric}` 对此模型和数据没有意义"),
            )));
        };
        table.row([metric.to_string(), estimate_text(metric, estimate)]);
        object.insert(metric.to_string(), json!(estimate));
    }
    let types = by_type(&scored);
    let mut by_type_text = types.as_deref().map(types_text).unwrap_or_default();
    if !by_type_text.is_empty() {
        by_type_text.insert_str(0, "\n\n");
    }
    let items = text::count(scored.len());
    let items = Said::new(format!("{items} items ({part})"), format!("{items} 个样本（`{part}`）"));
    let text = format!("{}\n{}{}", items.of(context.language), table.render(0).trim_end(), by_type_text.trim_end());
    context.console.result(&text, || {
        json!({ "model": arguments.model, "data": arguments.data, "part": part, "items": scored.len(), "metrics": Value::Object(object), "entities": types })
    });
    Ok(())
}
