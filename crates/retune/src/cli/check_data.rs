//! `retune check DATA`: what is wrong with data by itself.

use super::data_sources::DataArguments;
use super::failure::Failure;
use super::parts::PartsArguments;
use super::text::counted;
use super::{Context, Result, model_features};
use retune::audit::report::quoted;
use retune::audit::{Report, Said, Severity};
use std::path::{Path, PathBuf};

/// Examples of each finding that a report keeps.
const EXAMPLES: usize = 10;

/// How data is checked.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Data by itself")]
pub struct CheckDataArguments {
    #[command(flatten)]
    data: DataArguments,
    /// Also write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Look for wrong labels by what this model gives out for the examples, rather than by the words of texts
    #[arg(long, value_name = "MODEL")]
    features: Option<PathBuf>,
    /// Texts or images of each part that are looked at, at equal distances, where there are more
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    most: usize,
}

/// As many texts or images as take minutes and 1 to 2 GB.
const MOST: usize = 1_000_000;

impl CheckDataArguments {
    /// Whether any of them is given.
    pub fn are_given(&self) -> bool {
        self.data.are_given() || self.html.is_some() || self.features.is_some() || self.most != MOST
    }
}

/// Prints the report; an error where there are problems.
pub fn run(context: &Context, path: &Path, parts: &PartsArguments, arguments: &CheckDataArguments) -> Result {
    let collection = arguments.data.open(path, parts, Some(arguments.most))?;
    let facts = arguments.data.measure(&collection);
    let features = arguments.features.as_deref().map(|model| model_features::compute(context, &collection, model));
    let features = features.transpose()?;
    let mut command_line = arguments.data.command_line(path, parts);
    if let Some(model) = &arguments.features {
        command_line += &format!(" --features {}", quoted(&model.display().to_string()));
    }
    let report = Report::new(&collection, &facts, features.as_ref(), command_line, EXAMPLES);
    context.console.result(report.text(context.language).trim_end(), || report.json());
    if let Some(file) = &arguments.html {
        std::fs::write(file, report.html(&collection, context.language))
            .map_err(|error| Failure::cannot_write(file, error))?;
        let file = file.display();
        context.console.said(&Said::new(format!("wrote `{file}`"), format!("已写入 `{file}`")));
    }
    match report.findings.iter().filter(|finding| finding.severity == Severity::Problem).count() {
        0 => Ok(()),
        problems => {
            let failure = Failure::new(Said::new(
                format!("{} in `{}`", counted(problems, "problem", "problems"), path.display()),
                format!("`{}` 中有 {problems} 个问题", path.display()),
            ));
            Err(failure.reported())
        }
    }
}
