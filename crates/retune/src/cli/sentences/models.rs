//! Errors of models.

use super::of;
use retune::models::ModelError;

/// Errors of reading, building, changing and writing a model.
pub fn model(error: &ModelError) -> Option<String> {
    Some(match error {
        ModelError::Format(error) => of(error),
        ModelError::Graph(error) => error.to_string(),
        ModelError::Tensor(error) => error.to_string(),
        ModelError::Unsupported { layer, class, what, .. } => {
            format!("层 `{layer}`（类 `{class}`）：不支持 {what}")
        }
        ModelError::Attribute { layer, class, attribute, expected, found } => {
            format!("层 `{layer}`（类 `{class}`）的属性 `{attribute}`：应为 {expected}，实际为 {found}")
        }
        ModelError::Inputs { layer, class, expected, found } => {
            format!("层 `{layer}`（类 `{class}`）的输入：应为 {expected}，实际为 {found}")
        }
        ModelError::Description { place, expected, found } => {
            format!("`{place}` 的描述：应为 {expected}，实际为 {found}")
        }
        ModelError::NoDescription { path } => format!("`{}` 只有权重，没有网络的描述", path.display()),
        ModelError::Weights(report) => format!("权重与模型不符：{report}"),
        ModelError::UnknownArchitecture { kind, .. } => format!("不支持架构 `{kind}`"),
        ModelError::UnknownWeights { first, nearest, .. } => {
            let nearest = nearest.map_or_else(String::new, |network| format!("；最相似的网络是 {network}"));
            format!("不知道这些权重属于哪个网络：前几个张量是 {first}{nearest}")
        }
        ModelError::WrongKind { what, .. } => format!("这类模型无法做到：{what}"),
        ModelError::UnknownSize { input, shape } => format!("输入 `{input}` 的形状为 {shape}，其中有未知的大小"),
        ModelError::NoSuchLayer { pattern, .. } => format!("没有名为 `{pattern}` 的层"),
        // A sentence of the place where it was found.
        ModelError::Surgery { what, .. } => what.clone(),
        ModelError::Extension { path } => format!("从 `{}` 的扩展名看不出要写成哪种格式", path.display()),
        _ => return None,
    })
}
