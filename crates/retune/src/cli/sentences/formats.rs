//! Errors of files of weights and arrays.

use retune::formats::{FormatError, Problem};
use retune::train::language::phrases::{chinese, filled};

/// Errors of reading and writing a file.
pub fn format(error: &FormatError) -> Option<String> {
    let problem = problem(&error.problem)?;
    Some(match (&error.path, error.place.as_str()) {
        (Some(path), "") => format!("`{}`：{problem}", path.display()),
        (Some(path), place) => format!("`{}` 的 `{place}` 处：{problem}", path.display()),
        (None, "") => problem,
        (None, place) => format!("`{place}` 处：{problem}"),
    })
}

fn problem(problem: &Problem) -> Option<String> {
    Some(match problem {
        Problem::Io(error) => error.to_string(),
        Problem::Mismatch { expected, found } => filled("应为 {}，实际为 {}", &[expected, found]),
        Problem::Missing { what } => filled("缺少 {}", &[what]),
        Problem::Truncated { needed, available } => {
            format!("数据不完整：需要 {needed} 字节，只剩 {available} 字节")
        }
        Problem::TooLarge { what, found, limit } => {
            format!("{} 为 {found}，上限为 {limit}", chinese(what))
        }
        Problem::Duplicate { name } => format!("名称 `{name}` 出现了两次"),
        Problem::UnsafeName { name } => format!("不允许名称 `{name}`：它是绝对路径、为空，或含有 `..`"),
        Problem::Unsupported { what, .. } => filled("不支持 {}", &[what]),
        Problem::ForbiddenGlobal { module, name } => {
            format!("pickle 引用了不被允许的 Python 对象 `{module}.{name}`")
        }
        Problem::Json(error) => format!("不是有效的 JSON：{error}"),
        Problem::Hdf5(error) => format!("HDF5 文件已损坏：{error}"),
        Problem::Zip(error) => format!("zip 归档已损坏：{error}"),
        Problem::Safetensors(error) => format!("safetensors 文件头已损坏：{error}"),
        Problem::Tensor(error) => chinese(&error.to_string()),
        _ => return None,
    })
}
