//! Errors of downloads from the Hugging Face Hub.

use retune::hub::HubError;

/// Errors on the way to a model of the Hub.
pub fn hub(error: &HubError) -> Option<String> {
    Some(match error {
        HubError::Address { text } => format!("`{text}` 不是模型的地址"),
        HubError::NotFound { what } => format!("Hub 上没有 `{what}`"),
        HubError::Unauthorized { repository } => format!("没有有效的令牌，Hub 拒绝访问 `{repository}`"),
        HubError::Gated { repository, .. } => format!("`{repository}` 需要先接受条件才能访问"),
        HubError::Status { url, status } => format!("`{url}` 返回状态码 {status}"),
        HubError::Network { url, source } => format!("无法访问 `{url}`：{source}"),
        HubError::Reply { url, what } => format!("`{url}` 的应答缺少有效的 {what}"),
        HubError::WrongLength { file, expected, found } => {
            format!("`{file}` 有 {found} 字节，而 Hub 声明的是 {expected} 字节")
        }
        HubError::Checksum { file, expected, found } => {
            format!("`{file}` 的校验和是 {found}，而 Hub 声明的是 {expected}")
        }
        HubError::Offline { what, cache } => {
            format!("缓存 `{}` 中没有 `{what}`，且不允许访问 Hub", cache.display())
        }
        HubError::Io { path, source } => format!("`{}`：{source}", path.display()),
        _ => return None,
    })
}
