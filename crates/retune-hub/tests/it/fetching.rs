//! Whole models, broken connections, wrong contents, refusals, offline.

use std::fs;
use std::path::{Path, PathBuf};

use retune_hub::{Hub, HubError, Settings, model_files};

use crate::server::{COMMIT, Mishap, Server, sha256, weights};

fn settings(endpoint: &str, cache: &Path) -> Settings {
    let mut settings = Settings::from_variables(|_| None);
    settings.endpoint = endpoint.to_owned();
    settings.cache = cache.to_path_buf();
    settings.token = Some("hf_secret".into());
    settings.uses_environment_proxy = false;
    settings
}

fn fetch(settings: Settings, address: &str) -> Result<PathBuf, HubError> {
    Hub::new(settings).fetch(&address.parse().unwrap(), model_files, &mut |_| {})
}

fn repository(cache: &Path) -> PathBuf {
    cache.join("models--org--name")
}

fn incomplete(cache: &Path) -> PathBuf {
    repository(cache).join("blobs").join(format!("{}.incomplete", sha256(&weights())))
}

/// Fetches from a server with this mishap into an empty cache.
fn with(mishap: Mishap) -> (tempfile::TempDir, Server, Result<PathBuf, HubError>) {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(mishap);
    let result = fetch(settings(&server.endpoint, cache.path()), "hf://org/name");
    (cache, server, result)
}

#[test]
fn a_whole_model_in_the_shared_layout_and_not_again() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Mishap::None);
    let hub = Hub::new(settings(&server.endpoint, cache.path()));
    let mut last = None;
    let address = "hf://org/name".parse().unwrap();
    let folder = hub
        .fetch(&address, model_files, &mut |progress| last = Some((progress.received_bytes, progress.total_bytes)))
        .unwrap();
    assert_eq!(folder, repository(cache.path()).join("snapshots").join(COMMIT));
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert_eq!(fs::read_to_string(folder.join("config.json")).unwrap(), r#"{"model_type":"bert"}"#);
    assert_eq!(last, Some((300_001, 300_001)));
    assert_eq!(fs::read_to_string(repository(cache.path()).join("refs/main")).unwrap(), COMMIT);
    assert_eq!(fs::read(repository(cache.path()).join("blobs").join(sha256(&weights()))).unwrap(), weights());
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(folder.join("model.safetensors")).unwrap(),
        Path::new("../../blobs").join(sha256(&weights()))
    );
    assert!(!incomplete(cache.path()).exists());
    assert!(server.requests_of("onnx").is_empty() && server.requests_of("evil").is_empty());

    // The token is for the Hub and not for the store that it sends to.
    let (blob, hub_requests): (Vec<_>, Vec<_>) = server.requests().into_iter().partition(|r| r.line.contains("/blob"));
    assert_eq!(blob.len(), 1);
    assert!(blob.iter().all(|request| request.header("authorization").is_none()));
    assert!(hub_requests.iter().all(|request| request.header("authorization") == Some("bearer hf_secret")));

    let before = server.requests().len();
    hub.fetch(&address, model_files, &mut |_| {}).unwrap();
    assert_eq!(server.requests().len(), before + 1, "only the list of files is asked for");
    fetch(settings(&server.endpoint, cache.path()), "hf://org/name@refs/pr/1").unwrap();
    assert_eq!(fs::read_to_string(repository(cache.path()).join("refs/refs/pr/1")).unwrap(), COMMIT);
}

#[test]
fn a_repository_that_was_renamed() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Mishap::None);
    let folder = fetch(settings(&server.endpoint, cache.path()), "hf://old/name").unwrap();
    assert!(folder.starts_with(cache.path().join("models--old--name")));
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert_eq!(server.requests_of("GET /api/models/org/name").len(), 1);
}

#[test]
fn a_broken_connection_is_continued() {
    let (_cache, server, folder) = with(Mishap::BreaksAfter(100_000));
    assert_eq!(fs::read(folder.unwrap().join("model.safetensors")).unwrap(), weights());
    let ranges: Vec<_> = server.requests_of("GET /blob").iter().map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges[0], None);
    assert_eq!(ranges.len(), 4, "{ranges:?}");
    assert_eq!(ranges[3].as_deref(), Some("bytes=300000-"), "{ranges:?}");
}

#[test]
fn what_an_earlier_run_left_is_continued() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Mishap::None);
    fs::create_dir_all(incomplete(cache.path()).parent().unwrap()).unwrap();
    fs::write(incomplete(cache.path()), &weights()[..123_456]).unwrap();
    let folder = fetch(settings(&server.endpoint, cache.path()), "hf://org/name").unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    let [request] = server.requests_of("GET /blob").try_into().unwrap();
    assert_eq!(request.header("range"), Some("bytes=123456-"));
}

#[test]
fn what_cannot_be_the_start_of_the_file_is_not_continued() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Mishap::None);
    fs::create_dir_all(incomplete(cache.path()).parent().unwrap()).unwrap();
    fs::write(incomplete(cache.path()), vec![0; 300_002]).unwrap();
    let folder = fetch(settings(&server.endpoint, cache.path()), "hf://org/name").unwrap();
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    // The right length, but other bytes: refused once, and fetched whole the next time.
    let cache = tempfile::tempdir().unwrap();
    fs::create_dir_all(incomplete(cache.path()).parent().unwrap()).unwrap();
    fs::write(incomplete(cache.path()), vec![0; 1000]).unwrap();
    let error = fetch(settings(&server.endpoint, cache.path()), "hf://org/name").unwrap_err();
    assert!(matches!(error, HubError::Checksum { .. }), "{error}");
    fetch(settings(&server.endpoint, cache.path()), "hf://org/name").unwrap();
}

#[test]
fn a_server_that_cannot_continue_sends_the_whole_file() {
    let (_cache, server, folder) = with(Mishap::BreaksOnceWithoutRanges(100_000));
    assert_eq!(fs::read(folder.unwrap().join("model.safetensors")).unwrap(), weights());
    assert_eq!(server.requests_of("GET /blob").len(), 2);
}

#[test]
fn a_connection_that_brings_nothing_ends_with_an_error_and_keeps_what_came() {
    let (cache, server, result) = with(Mishap::BreaksAfter(0));
    let error = result.unwrap_err();
    assert!(matches!(error, HubError::Network { .. }), "{error}");
    assert!(error.to_string().contains("hint: check the connection"), "{error}");
    assert_eq!(server.requests_of("GET /blob").len(), 4);
    assert!(!repository(cache.path()).join("refs/main").exists());
}

#[test]
fn wrong_lengths_are_refused() {
    let (cache, _server, result) = with(Mishap::Shorter(7));
    let error = result.unwrap_err();
    assert!(
        matches!(&error, HubError::WrongLength { file, expected: 300_001, .. } if file == "model.safetensors"),
        "{error}"
    );
    assert!(!repository(cache.path()).join("snapshots").join(COMMIT).join("model.safetensors").exists());
    let (cache, _server, result) = with(Mishap::Longer(7));
    let error = result.unwrap_err();
    assert!(matches!(error, HubError::WrongLength { expected: 300_001, .. }), "{error}");
    assert!(!incomplete(cache.path()).exists());
}

#[test]
fn wrong_contents_are_refused_and_not_kept() {
    let (cache, _server, result) = with(Mishap::Altered);
    let error = result.unwrap_err();
    let HubError::Checksum { file, expected, found } = &error else { panic!("{error}") };
    assert_eq!((file.as_str(), expected.as_str()), ("model.safetensors", sha256(&weights()).as_str()));
    assert_ne!(found, expected);
    assert!(!incomplete(cache.path()).exists());
    assert!(!repository(cache.path()).join("blobs").join(expected).exists());
}

#[test]
fn refusals_say_what_to_do() {
    for (status, code, hint) in [
        (404, "RepoNotFound", "check the spelling"),
        (401, "RepoNotFound", "set `HF_TOKEN`"),
        (403, "GatedRepo", "accept its conditions"),
        (401, "GatedRepo", "accept its conditions"),
        (500, "", "status 500"),
    ] {
        let (_cache, _server, result) = with(Mishap::Refuses(status, code));
        let error = result.unwrap_err();
        assert!(error.to_string().contains(hint), "{status} {code}: {error}");
        let is_expected = match (status, code) {
            (404, _) => matches!(&error, HubError::NotFound { what } if what == "hf://org/name@main"),
            (_, "GatedRepo") => matches!(&error, HubError::Gated { page, .. } if page.ends_with("/org/name")),
            (401, _) => matches!(&error, HubError::Unauthorized { repository } if repository == "org/name"),
            _ => matches!(error, HubError::Status { status: 500, .. }),
        };
        assert!(is_expected, "{status} {code}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("hf_secret"));
    }
}

#[test]
fn offline_only_the_cache_is_used() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Mishap::None);
    let offline = || Settings { is_offline: true, ..settings(&server.endpoint, cache.path()) };
    let error = fetch(offline(), "hf://org/name").unwrap_err();
    assert!(matches!(&error, HubError::Offline { what, .. } if what == "hf://org/name@main"), "{error}");
    assert!(server.requests().is_empty());
    let folder = fetch(settings(&server.endpoint, cache.path()), "hf://org/name").unwrap();
    let requests = server.requests().len();
    assert_eq!(fetch(offline(), "hf://org/name").unwrap(), folder);
    assert_eq!(fetch(offline(), &format!("hf://org/name@{COMMIT}")).unwrap(), folder);
    assert!(fetch(offline(), "hf://org/name@v2").is_err());
    assert_eq!(server.requests().len(), requests);
}
