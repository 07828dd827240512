//! Endpoint, cache, token, offline.

use std::path::{Path, PathBuf};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How the Hub is reached. [`Settings::from_environment`] reads the variables that the Hub's Python tools read.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Address of the Hub or a mirror, without a `/` at the end (`HF_ENDPOINT`, default `https://huggingface.co`).
    pub endpoint: String,
    /// Folder of the cache (`HF_HUB_CACHE`, default `$HF_HOME/hub`; `HF_HOME` is by default
    /// `$XDG_CACHE_HOME/huggingface`, that is `~/.cache/huggingface`).
    pub cache: PathBuf,
    /// Token of the user (`HF_TOKEN`, else the file `HF_TOKEN_PATH`, by default `$HF_HOME/token`).
    pub token: Option<String>,
    /// Whether the network must not be used (`HF_HUB_OFFLINE`: `1`, `on`, `yes` or `true`).
    pub is_offline: bool,
    /// Certificates to trust instead of Mozilla's, as PEM (`SSL_CERT_FILE`).
    pub certificates: Option<PathBuf>,
    /// Whether to use the proxy of `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` except for `NO_PROXY`.
    pub uses_environment_proxy: bool,
}

impl Settings {
    /// The settings of the environment.
    pub fn from_environment() -> Settings {
        Settings::from_variables(|name| std::env::var(name).ok())
    }

    /// The settings of `variable`, which gives an environment variable's value.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Settings {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let user = path("HOME").or_else(|| path("USERPROFILE")).unwrap_or_default();
        let home = path("HF_HOME")
            .unwrap_or_else(|| path("XDG_CACHE_HOME").unwrap_or_else(|| user.join(".cache")).join("huggingface"));
        let expand = |path: PathBuf| match path.strip_prefix("~") {
            Ok(rest) => user.join(rest),
            Err(_) => path,
        };
        let home = expand(home);
        let token_path = expand(path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token")));
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let is_on = |value: String| matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "yes" | "true");
        Settings {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: expand(path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub"))),
            token: variable("HF_TOKEN").map(|token| token.trim().to_owned()).or_else(|| read_token(&token_path)),
            is_offline: variable("HF_HUB_OFFLINE").is_some_and(is_on),
            certificates: path("SSL_CERT_FILE"),
            uses_environment_proxy: true,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            // A secret.
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("is_offline", &self.is_offline)
            .field("certificates", &self.certificates)
            .field("uses_environment_proxy", &self.uses_environment_proxy)
            .finish()
    }
}

fn read_token(path: &Path) -> Option<String> {
    let token = std::fs::read_to_string(path).ok()?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_and_variables() {
        let default = settings(&[("HOME", "/home/u")]);
        assert_eq!(default.endpoint, "https://huggingface.co");
        assert_eq!(default.cache, Path::new("/home/u/.cache/huggingface/hub"));
        assert_eq!((default.token, default.is_offline), (None, false));
        assert_eq!(settings(&[("XDG_CACHE_HOME", "/x")]).cache, Path::new("/x/huggingface/hub"));
        assert_eq!(settings(&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")]).cache, Path::new("/h/hub"));
        assert_eq!(settings(&[("HF_HUB_CACHE", "~/c"), ("HOME", "/u")]).cache, Path::new("/u/c"));
        assert_eq!(settings(&[("HF_ENDPOINT", "http://m/")]).endpoint, "http://m");
        for (value, is_offline) in [("1", true), ("TRUE", true), ("0", false), ("", false), ("off", false)] {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", value)]).is_offline, is_offline, "{value}");
        }
    }

    #[test]
    fn tokens_are_read_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        assert_eq!(settings(&[("HF_HOME", home)]).token.as_deref(), Some("hf_file"));
        let settings = settings(&[("HF_HOME", home), ("HF_TOKEN", " hf_variable ")]);
        assert_eq!(settings.token.as_deref(), Some("hf_variable"));
        assert!(!format!("{settings:?}").contains("hf_variable"));
    }
}
