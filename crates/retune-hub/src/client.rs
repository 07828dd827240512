//! Requests to the Hub: redirects, the token, refusals.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::address::HubAddress;
use crate::error::HubError;
use crate::settings::Settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// A body that takes longer is continued by another request, so that a silent connection does not wait for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(600);
const MAX_REDIRECTS: usize = 8;
/// A list of a repository's files.
const MAX_LIST_BYTES: u64 = 32 << 20;

/// Makes requests.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// How a redirect is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// All are followed.
    Follow,
    /// Those to the same server are followed (a repository was renamed); the first to another one (a store of large
    /// files) is the answer, for its headers describe the file.
    WithinServer,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Client, HubError> {
        let mut config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("retune/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(REPLY_TIMEOUT))
            .timeout_recv_body(Some(BODY_TIMEOUT));
        if !settings.uses_environment_proxy {
            config = config.proxy(None);
        }
        if let Some(path) = &settings.certificates {
            let pem = std::fs::read(path).map_err(HubError::io(path))?;
            let certificates = parse_pem(&pem).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            let roots = RootCerts::Specific(Arc::new(certificates.collect()));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let (endpoint, token) = (settings.endpoint.clone(), settings.token.clone());
        Ok(Client { agent: config.build().into(), endpoint, token })
    }

    /// The URL of a path below the endpoint.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    /// Commit and file names of `address`.
    pub(crate) fn list(&self, address: &HubAddress) -> Result<(String, Vec<String>), HubError> {
        let revision = address.revision().replace('/', "%2F");
        let url = self.url(&format!("api/models/{}/revision/{revision}", address.repository()));
        let response = self.request("GET", &url, None, Redirects::Follow)?;
        let response = self.accept(response, &url, address, &address.to_string())?;
        let mut text = Vec::new();
        let body = response.into_body().into_reader().take(MAX_LIST_BYTES);
        read_all(body, &mut text).map_err(|error| HubError::Network { url: url.clone(), source: error.into() })?;
        let invalid = |what| HubError::Reply { url: url.clone(), what };
        let list: serde_json::Value = serde_json::from_slice(&text).map_err(|_| invalid("JSON"))?;
        let commit =
            list["sha"].as_str().filter(|sha| crate::cache::is_commit(sha)).ok_or_else(|| invalid("commit"))?;
        let siblings = list["siblings"].as_array().ok_or_else(|| invalid("list of files"))?;
        let names = siblings.iter().filter_map(|file| Some(file["rfilename"].as_str()?.to_owned())).collect();
        Ok((commit.to_owned(), names))
    }

    /// Sends a request, from byte `start` on if given; the token goes to the endpoint's server alone.
    pub(crate) fn request(
        &self,
        method: &str,
        url: &str,
        start: Option<u64>,
        redirects: Redirects,
    ) -> Result<Response<Body>, HubError> {
        let network =
            |url: &str, error: ureq::Error| HubError::Network { url: url.to_owned(), source: Box::new(error) };
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            // Compressed answers would have another length than the file.
            let mut request =
                ureq::http::Request::builder().method(method).uri(&url).header("accept-encoding", "identity");
            if let Some(token) = self.token.as_ref().filter(|_| origin(&url) == origin(&self.endpoint)) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if let Some(start) = start {
                request = request.header("range", format!("bytes={start}-"));
            }
            let request = request.body(()).map_err(|error| network(&url, error.into()))?;
            let response = self.agent.run(request).map_err(|error| network(&url, error))?;
            let location = header(&response, "location").filter(|_| response.status().is_redirection());
            let Some(next) = location.map(|location| resolve(&url, location)) else { return Ok(response) };
            if redirects == Redirects::WithinServer && origin(&next) != origin(&url) {
                return Ok(response);
            }
            if url.starts_with("https://") && !next.starts_with("https://") {
                return Err(HubError::Reply { url, what: "redirect: it leaves the encrypted connection" });
            }
            url = next;
        }
        Err(HubError::Reply { url, what: "redirect: there are too many" })
    }

    /// `response`, unless the Hub refuses `what` of `address`.
    pub(crate) fn accept(
        &self,
        response: Response<Body>,
        url: &str,
        address: &HubAddress,
        what: &str,
    ) -> Result<Response<Body>, HubError> {
        let repository = address.repository().to_owned();
        let code = header(&response, "x-error-code");
        match (response.status().as_u16(), code) {
            (200..=399, _) => Ok(response),
            (_, Some("GatedRepo")) | (403, _) => Err(HubError::Gated { page: self.url(&repository), repository }),
            (404, _) => Err(HubError::NotFound { what: what.to_owned() }),
            (401, _) => Err(HubError::Unauthorized { repository }),
            (status, _) => Err(HubError::Status { url: url.to_owned(), status }),
        }
    }
}

/// The header `name`, if there is one that is text.
pub(crate) fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

fn read_all(mut body: impl Read, text: &mut Vec<u8>) -> std::io::Result<()> {
    body.read_to_end(text).map(drop)
}

/// Scheme and server of a URL.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// The URL that `location`, found at `base`, names.
fn resolve(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    if let Some(rest) = location.strip_prefix("//") {
        let scheme = base.split("://").next().unwrap_or("https");
        return format!("{scheme}://{rest}");
    }
    if location.starts_with('/') {
        return format!("{}{location}", origin(base));
    }
    let folder = base.rfind('/').filter(|&at| at > origin(base).len()).map_or(origin(base), |at| &base[..at]);
    format!("{folder}/{location}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_redirects() {
        assert_eq!(origin("https://a.b:1/c/d?e"), "https://a.b:1");
        assert_eq!(origin("https://a.b?c"), "https://a.b");
        assert_eq!(resolve("https://a/b/c", "/d"), "https://a/d");
        assert_eq!(resolve("https://a/b/c", "d"), "https://a/b/d");
        assert_eq!(resolve("https://a", "d"), "https://a/d");
        assert_eq!(resolve("https://a/b", "//x/y"), "https://x/y");
        assert_eq!(resolve("https://a/b", "http://x/y"), "http://x/y");
    }
}
