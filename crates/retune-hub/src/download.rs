//! One file: fetched, continued where a connection broke, checked.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::address::{HubAddress, is_plain_name};
use crate::cache::{RepositoryCache, create_parent};
use crate::client::{Client, Redirects, header};
use crate::error::HubError;

/// Requests in a row that bring no new byte before it is given up.
const MAX_FRUITLESS: usize = 4;
const CHUNK_BYTES: usize = 1 << 16;

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'f> {
    /// The file's name in the repository.
    pub file: &'f str,
    /// Bytes that are there, those of an earlier attempt among them.
    pub received_bytes: u64,
    /// Bytes of the whole file.
    pub total_bytes: u64,
}

/// What the Hub announces about a file.
struct Announced {
    /// Names the content: its SHA-256 for large files, else git's hash of it.
    etag: String,
    length: u64,
}

/// Fetches the file `name` of `commit`, unless the cache has it.
pub(crate) fn fetch(
    client: &Client,
    cache: &RepositoryCache,
    address: &HubAddress,
    commit: &str,
    name: &str,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), HubError> {
    if cache.snapshot(commit).join(name).exists() {
        return Ok(());
    }
    let url = client.url(&format!("{}/resolve/{commit}/{name}", address.repository()));
    let announced = announced(client, address, &url, name)?;
    let blob = cache.blob(&announced.etag);
    create_parent(&blob)?;
    let lock = cache.lock(&announced.etag)?;
    // Another program may have fetched it while this one waited for the lock.
    if !blob.exists() {
        let incomplete = cache.incomplete(&announced.etag);
        receive(client, address, &url, name, &incomplete, announced.length, progress)?;
        if let Err(error) = verify(&incomplete, name, &announced) {
            // To continue with wrong bytes would never come to a right end.
            let _ = fs::remove_file(&incomplete);
            return Err(error);
        }
        fs::rename(&incomplete, &blob).map_err(HubError::io(&blob))?;
    }
    drop(lock);
    cache.link(commit, name, &announced.etag)
}

fn announced(client: &Client, address: &HubAddress, url: &str, name: &str) -> Result<Announced, HubError> {
    let response = client.request("HEAD", url, None, Redirects::WithinServer)?;
    let response = client.accept(response, url, address, &format!("{address}/{name}"))?;
    let invalid = |what| HubError::Reply { url: url.to_owned(), what };
    let etag = header(&response, "x-linked-etag").or_else(|| header(&response, "etag"));
    let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
    let length = header(&response, "x-linked-size").or_else(|| header(&response, "content-length"));
    Ok(Announced {
        etag: etag.filter(|etag| is_plain_name(etag)).ok_or_else(|| invalid("`etag`"))?,
        length: length.and_then(|length| length.parse().ok()).ok_or_else(|| invalid("length"))?,
    })
}

/// Adds to the file `incomplete` until it has `length` bytes.
fn receive(
    client: &Client,
    address: &HubAddress,
    url: &str,
    name: &str,
    incomplete: &Path,
    length: u64,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), HubError> {
    let io = || HubError::io(incomplete);
    let mut file = File::options().create(true).append(true).open(incomplete).map_err(io())?;
    let mut received = file.metadata().map_err(io())?.len();
    // What was there once and had to be given up does not count as new when it comes again.
    let mut most = received.min(length);
    let mut fruitless = 0;
    loop {
        progress(Progress { file: name, received_bytes: received, total_bytes: length });
        if received == length {
            return file.sync_all().map_err(io());
        }
        if received > length {
            // What an earlier attempt left cannot be the start of this file.
            file.set_len(0).map_err(io())?;
            received = 0;
        }
        let start = Some(received).filter(|&start| start > 0);
        let interruption = match client.request("GET", url, start, Redirects::Follow) {
            Err(error @ HubError::Network { .. }) => Some(error),
            Err(error) => return Err(error),
            Ok(response) if response.status() == 416 => {
                file.set_len(0).map_err(io())?;
                received = 0;
                None
            }
            Ok(response) => {
                let response = client.accept(response, url, address, &format!("{address}/{name}"))?;
                let continues = response.status() == 206
                    && header(&response, "content-range")
                        .is_some_and(|range| range.starts_with(&format!("bytes {received}-")));
                if !continues && received > 0 {
                    // The server sends the whole file.
                    file.set_len(0).map_err(io())?;
                    received = 0;
                }
                let mut body = response.into_body().into_reader();
                let mut chunk = vec![0; CHUNK_BYTES];
                loop {
                    match body.read(&mut chunk) {
                        Ok(0) => break None,
                        Ok(count) => {
                            received += count as u64;
                            if received > length {
                                let _ = fs::remove_file(incomplete);
                                let (file, expected) = (name.to_owned(), length);
                                return Err(HubError::WrongLength { file, expected, found: received });
                            }
                            file.write_all(&chunk[..count]).map_err(io())?;
                            progress(Progress { file: name, received_bytes: received, total_bytes: length });
                        }
                        Err(error) => break Some(HubError::Network { url: url.to_owned(), source: error.into() }),
                    }
                }
            }
        };
        if received > most {
            most = received;
            fruitless = 0;
        } else {
            fruitless += 1;
            if fruitless >= MAX_FRUITLESS {
                let (file, expected, found) = (name.to_owned(), length, received);
                return Err(interruption.unwrap_or(HubError::WrongLength { file, expected, found }));
            }
        }
    }
}

/// Checks length and SHA-256; git's hash, which small files have, is of another kind and not checked.
fn verify(path: &Path, name: &str, announced: &Announced) -> Result<(), HubError> {
    let io = || HubError::io(path);
    let mut file = File::open(path).map_err(io())?;
    let found = file.metadata().map_err(io())?.len();
    if found != announced.length {
        return Err(HubError::WrongLength { file: name.to_owned(), expected: announced.length, found });
    }
    if announced.etag.len() != 64 {
        return Ok(());
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk).map_err(io())? {
            0 => break,
            count => hash.update(&chunk[..count]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if !found.eq_ignore_ascii_case(&announced.etag) {
        return Err(HubError::Checksum { file: name.to_owned(), expected: announced.etag.clone(), found });
    }
    Ok(())
}
