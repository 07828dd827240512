//! Errors of models.

use super::of;
use retune::models::ModelError;
use retune::train::language::phrases::{chinese, filled};

/// Errors of reading, building, changing and writing a model.
pub fn model(error: &ModelError) -> Option<String> {
    Some(match error {
        ModelError::Format(error) => of(error),
        ModelError::Graph(error) => of(error),
        ModelError::Tensor(error) => chinese(&error.to_string()),
        ModelError::Unsupported { layer, class, what, .. } => {
            filled("层 `{}`（类 `{}`）：不支持 {}", &[layer, class, what])
        }
        ModelError::Attribute { layer, class, attribute, expected, found } => {
            let values = [layer, class, attribute, expected, found].map(|value| value.as_str());
            filled("层 `{}`（类 `{}`）的属性 `{}`：应为 {}，实际为 {}", &values)
        }
        ModelError::Inputs { layer, class, expected, found } => {
            filled("层 `{}`（类 `{}`）的输入：应为 {}，实际为 {}", &[layer, class, expected, found])
        }
        ModelError::Description { place, expected, found } => {
            filled("`{}` 的描述：应为 {}，实际为 {}", &[place, expected, found])
        }
        ModelError::NoDescription { path } => format!("`{}` 只有权重，没有网络的描述", path.display()),
        ModelError::Weights(report) => {
            format!("权重与模型不符：{}", chinese(&report.to_string()))
        }
        ModelError::UnknownArchitecture { kind, .. } => format!("不支持架构 `{kind}`"),
        ModelError::UnknownWeights { first, nearest, .. } => {
            let nearest = nearest.map_or_else(String::new, |network| format!("；最相似的网络是 {network}"));
            format!("不知道这些权重属于哪个网络：前几个张量是 {first}{nearest}")
        }
        ModelError::WrongKind { what, .. } => filled("这类模型无法做到：{}", &[what]),
        ModelError::UnknownSize { input, shape } => format!("输入 `{input}` 的形状为 {shape}，其中有未知的大小"),
        ModelError::NoSuchLayer { pattern, .. } => format!("没有名为 `{pattern}` 的层"),
        ModelError::Surgery { what, .. } => chinese(what),
        ModelError::Extension { path } => format!("从 `{}` 的扩展名看不出要写成哪种格式", path.display()),
        _ => return None,
    })
}
