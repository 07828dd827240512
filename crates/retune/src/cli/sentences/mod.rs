//! What is wrong, in Chinese: the sentences of the libraries' errors, one file for the errors of a crate.
//!
//! Libraries say their errors in English. Here each of them is said again, from its fields, by a match over its variants; what to do
//! about it, and fields that are words of a reader, are looked up in [`phrases`]. Sentences of other libraries and of the operating
//! system stay as they are.

mod data;
mod formats;
mod hub;
mod models;
mod networks;
mod train;

use retune::audit::AuditError;
use retune::cpu::CpuError;
use retune::data::DataError;
use retune::formats::FormatError;
use retune::graph::GraphError;
use retune::hub::HubError;
use retune::models::ModelError;
use retune::train::TrainError;
use retune::train::language::phrases;
use retune::train::recipe::RecipeError;
use std::error::Error;

/// The error in Chinese, without what to do; `None` for errors that are not known here.
pub fn chinese(error: &(dyn Error + 'static)) -> Option<String> {
    None.or_else(|| train::train(error.downcast_ref::<TrainError>()?))
        .or_else(|| Some(train::recipe(error.downcast_ref::<RecipeError>()?)))
        .or_else(|| data::audit(error.downcast_ref::<AuditError>()?))
        .or_else(|| data::data(error.downcast_ref::<DataError>()?))
        .or_else(|| models::model(error.downcast_ref::<ModelError>()?))
        .or_else(|| formats::format(error.downcast_ref::<FormatError>()?))
        .or_else(|| hub::hub(error.downcast_ref::<HubError>()?))
        .or_else(|| networks::graph(error.downcast_ref::<GraphError>()?))
        .or_else(|| networks::cpu(error.downcast_ref::<CpuError>()?))
}

/// The error in Chinese; what is known of its text, without what to do, where it is not known.
fn of(error: &(dyn Error + 'static)) -> String {
    chinese(error).unwrap_or_else(|| {
        let text = error.to_string();
        phrases::chinese(&text.lines().filter(|line| !line.starts_with("hint: ")).collect::<Vec<_>>().join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Names of the variants of an enum in a source.
    fn variants(source: &str, name: &str) -> Vec<String> {
        let body = source.split_once(&format!("pub enum {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
        let lines = body
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| line.starts_with(char::is_uppercase));
        lines.map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_error_is_said_in_chinese() {
        let read = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let mut count = 0;
        for (crate_name, name, file) in [
            ("audit", "AuditError", "data"),
            ("data", "DataError", "data"),
            ("formats", "Problem", "formats"),
            ("cpu", "CpuError", "networks"),
            ("graph", "GraphError", "networks"),
            ("hub", "HubError", "hub"),
            ("models", "ModelError", "models"),
            ("train", "TrainError", "train"),
        ] {
            let said = read(&format!("src/cli/sentences/{file}.rs"));
            for variant in variants(&read(&format!("../retune-{crate_name}/src/error.rs")), name) {
                count += 1;
                let is_said = said
                    .match_indices(&format!("{name}::{variant}"))
                    .any(|(at, found)| !said[at + found.len()..].starts_with(|c: char| c.is_alphanumeric()));
                assert!(is_said, "say {name}::{variant} in cli/sentences/{file}.rs");
            }
        }
        assert!(count > 80, "{count}");
    }

    #[test]
    fn causes_are_said_through_the_errors_around_them() {
        let data = DataError::LabelOutOfRange { place: "example 5".to_owned(), label: 5, classes: 5 };
        let error = TrainError::from(data);
        assert_eq!(chinese(&error).unwrap(), "样本 5：应为 0..5 中的标签，实际为 5");
        let cut =
            retune::formats::Problem::Truncated { needed: 8, available: 3 }.at("kernel").in_file(Path::new("m.h5"));
        let error = TrainError::from(ModelError::from(cut));
        assert_eq!(chinese(&error).unwrap(), "`m.h5` 的 `kernel` 处：数据不完整：需要 8 字节，只剩 3 字节");
        assert_eq!(chinese(&std::fmt::Error), None);
    }
}
