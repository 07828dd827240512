//! A server on loopback that answers as the Hub does.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    None,
    /// The connection breaks after this many bytes of the weights, each time.
    BreaksAfter(usize),
    /// As above, and the server cannot continue: it always sends the whole file.
    BreaksOnceWithoutRanges(usize),
    /// The weights end this much too early, without an error.
    Shorter(usize),
    /// The weights are followed by this many bytes.
    Longer(usize),
    /// One byte of the weights is another.
    Altered,
    /// Every request is answered with this status, and this `X-Error-Code`.
    Refuses(u16, &'static str),
}

/// A request: its first line and its headers in lower case.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub headers: Vec<String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| header.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A running server; its thread ends with the process.
pub struct Server {
    pub endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(mishap: Mishap) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Large files are kept by another server.
        let store = TcpListener::bind("127.0.0.1:0").unwrap();
        let store_address = format!("http://{}", store.local_addr().unwrap());
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        for (listener, is_store) in [(listener, false), (store, true)] {
            let (requests, store_address) = (requests.clone(), store_address.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    answer(stream.unwrap(), mishap, is_store, &store_address, &requests);
                }
            });
        }
        Server { endpoint, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The requests whose first line has `part`.
    pub fn requests_of(&self, part: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.line.contains(part)).collect()
    }
}

/// Weights of an odd length.
pub fn weights() -> Vec<u8> {
    (0..300_001u32).map(|i| (i % 251) as u8).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(mut stream: TcpStream, mishap: Mishap, is_store: bool, store: &str, requests: &Mutex<Vec<Request>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(line) = lines.next() else { return };
    let headers = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    let request = Request { line: line.clone(), headers };
    let is_first_get = !requests.lock().unwrap().iter().any(|known| known.line == line);
    requests.lock().unwrap().push(request.clone());
    let path = line.split(' ').nth(1).unwrap();
    let file = path.strip_prefix(&format!("/org/name/resolve/{COMMIT}/"));
    let reply = if let Mishap::Refuses(status, code) = mishap {
        format!("HTTP/1.1 {status} No\r\nX-Error-Code: {code}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .into_bytes()
    } else if is_store {
        stored(&request, mishap, is_first_get)
    } else if path == "/api/models/old/name/revision/main" {
        redirect("/api/models/org/name/revision/main", "")
    } else if let Some(rest) = path.strip_prefix("/old/name/") {
        redirect(&format!("/org/name/{rest}"), "")
    } else if path == "/api/models/org/name/revision/main" || path == "/api/models/org/name/revision/refs%2Fpr%2F1" {
        let names = ["config.json", "model.safetensors", "model.onnx", "../evil.json"];
        let siblings: Vec<String> = names.iter().map(|name| format!(r#"{{"rfilename":"{name}"}}"#)).collect();
        ok("", format!(r#"{{"sha":"{COMMIT}","siblings":[{}]}}"#, siblings.join(",")).as_bytes())
    } else if file == Some("config.json") {
        ok("ETag: W/\"1111111111111111111111111111111111111111\"\r\n", b"{\"model_type\":\"bert\"}")
    } else if file == Some("model.safetensors") {
        let etag = sha256(&weights());
        let about = format!("X-Linked-ETag: \"{etag}\"\r\nX-Linked-Size: {}\r\nETag: \"other\"\r\n", weights().len());
        redirect(&format!("{store}/blob"), &about)
    } else {
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
    };
    let is_head = line.starts_with("HEAD");
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    // The client may have gone.
    let _ = stream.write_all(if is_head { &reply[..end] } else { &reply });
}

fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn redirect(location: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
        .into()
}

/// The answer of the store of large files.
fn stored(request: &Request, mishap: Mishap, is_first: bool) -> Vec<u8> {
    let mut body = weights();
    let start: Option<usize> =
        request.header("range").map(|range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
    match mishap {
        Mishap::Shorter(count) => body.truncate(body.len() - count),
        Mishap::Longer(count) => body.resize(body.len() + count, 0),
        Mishap::Altered => body[1000] ^= 1,
        _ => {}
    }
    if let (Some(start), false) = (start, matches!(mishap, Mishap::BreaksOnceWithoutRanges(_))) {
        let whole = body.len();
        if start >= whole {
            return b"HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
        }
        body.drain(..start);
        let range = format!("Content-Range: bytes {start}-{}/{whole}\r\n", whole - 1);
        let reply = ok(&range, &body);
        let reply = [b"HTTP/1.1 206 Partial".as_slice(), &reply["HTTP/1.1 200 OK".len()..]].concat();
        return cut(reply, body.len(), mishap, is_first);
    }
    let reply = ok("", &body);
    cut(reply, body.len(), mishap, is_first)
}

fn cut(mut reply: Vec<u8>, body: usize, mishap: Mishap, is_first: bool) -> Vec<u8> {
    match mishap {
        Mishap::BreaksAfter(count) if body > count => reply.truncate(reply.len() - body + count),
        Mishap::BreaksOnceWithoutRanges(count) if is_first => reply.truncate(reply.len() - body + count),
        _ => {}
    }
    reply
}
