//! Models by their addresses on the Hub, fetched from a server on loopback that answers as the Hub does.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Workplace, golden};
use serde_json::Value;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Files of the model, in the order of their names, and where they come from.
const FILES: [(&str, &str); 3] = [
    ("config.json", "transformers/bert_classification/config.json"),
    ("model.safetensors", "transformers/bert_classification/model.safetensors"),
    ("tokenizer.json", "tokenizers/words.json"),
];

/// A server with one model, `org/name`; its thread ends with the process.
struct Server {
    endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::Relaxed);
                answer(stream.unwrap());
            }
        });
        Server { endpoint, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(line) = lines.next() else { return };
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let path = line.split(' ').nth(1).unwrap();
    let body = if path == "/api/models/org/name/revision/main" {
        let siblings: Vec<String> = FILES.iter().map(|(name, _)| format!(r#"{{"rfilename":"{name}"}}"#)).collect();
        Some(format!(r#"{{"sha":"{COMMIT}","siblings":[{}]}}"#, siblings.join(",")).into_bytes())
    } else {
        let name = path.strip_prefix(&format!("/org/name/resolve/{COMMIT}/"));
        let file = FILES.iter().find(|(file, _)| Some(*file) == name);
        file.map(|(_, source)| std::fs::read(golden(source)).unwrap())
    };
    let head = match &body {
        Some(body) => format!("HTTP/1.1 200 OK\r\nETag: \"{:040x}\"\r\nContent-Length: {}\r\n", body.len(), body.len()),
        None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n".to_owned(),
    };
    let mut reply = format!("{head}Connection: close\r\n\r\n").into_bytes();
    if !line.starts_with("HEAD") {
        reply.extend(body.unwrap_or_default());
    }
    // The client may have gone.
    let _ = stream.write_all(&reply);
}

/// A place with a table of texts, and the environment of a user of the server.
fn place(server: &Server) -> Workplace {
    let place = Workplace::new();
    let mut text = "text\tlabel\n".to_owned();
    for i in 0..60 {
        text += if i % 2 == 0 { "a bad film\tnegative\n" } else { "a good plot\tpositive\n" };
    }
    place.write("reviews.tsv", text);
    let cache = place.path("cache").display().to_string();
    place.with_environment(&[("HF_ENDPOINT", &server.endpoint), ("HF_HUB_CACHE", &cache), ("HF_TOKEN", "")])
}

fn snapshot(place: &Workplace) -> PathBuf {
    place.path("cache/models--org--name/snapshots").join(COMMIT)
}

#[test]
fn the_hub_is_asked_only_when_that_is_allowed() {
    let server = Server::start();
    let place = place(&server);
    let error = place.run(&["inspect", "hf://org/name"]).fails(1);
    assert!(error.contains("`hf://org/name@main` is not in the cache at"), "{error}");
    assert!(error.contains(&format!("hint: add `--online` to fetch it from `{}`", server.endpoint)), "{error}");
    assert_eq!(server.requests(), 0);

    let fetched = place.run(&["--online", "inspect", "hf://org/name"]);
    assert!(fetched.stderr.contains("fetched `model.safetensors`"), "{}", fetched.stderr);
    assert!(fetched.ok().contains("texts of at most 12 tokens"));
    assert!(snapshot(&place).join("model.safetensors").exists());

    // From now on it is there without the server.
    let asked = server.requests();
    for address in ["hf://org/name", &format!("hf://org/name@{COMMIT}")] {
        let outputs = place.run(&["predict", "--model", address, "--text", "a good film"]).ok();
        assert!(outputs.starts_with("a good film"), "{outputs}");
    }
    place.run(&["convert", "hf://org/name", "copy"]).ok();
    assert!(place.path("copy/model.safetensors").is_file());
    assert_eq!(server.requests(), asked);

    let error = place.run(&["--online", "inspect", "hf://org/missing"]).fails(1);
    assert!(error.contains("is not on the hub"), "{error}");
    let error = place.run(&["inspect", "hf://one/two/three"]).fails(1);
    assert!(error.contains("write `hf://org/name`"), "{error}");
    let offline = place.with_environment(&[("HF_HUB_OFFLINE", "1")]);
    let error = offline.run(&["--online", "inspect", "hf://org/other"]).fails(1);
    assert!(error.contains("unset `HF_HUB_OFFLINE`"), "{error}");
}

#[test]
fn a_run_records_the_exact_revision_and_goes_on_offline() {
    let server = Server::start();
    let place = place(&server);
    let flags = ["--data", "reviews.tsv", "--epochs", "1", "--method", "lora", "--output", "by-flags"];
    let fit = place.run(&[&["--online", "--json", "--quiet", "fit", "--model", "hf://org/name"], &flags[..]].concat());
    assert!(fit.json()["model"].as_str().unwrap().ends_with("by-flags/model"));
    let read = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(place.path(path)).unwrap()).unwrap() };
    let address = format!("hf://org/name@{COMMIT}");
    assert_eq!(read("by-flags/run.json")["model"]["address"], address);
    let adapter = read("by-flags/adapter/adapter_config.json");
    assert_eq!((&adapter["base_model_name_or_path"], &adapter["revision"]), (&"org/name".into(), &COMMIT.into()));

    // The folder of adapters finds its base in the cache.
    let asked = server.requests();
    let whole = place.run(&["predict", "--model", "by-flags/model", "--text", "a good plot"]).ok();
    assert_eq!(place.run(&["predict", "--model", "by-flags/adapter", "--text", "a good plot"]).ok(), whole);

    let recipe = "[model]\npath = \"hf://org/name\"\n[data]\npath = \"reviews.tsv\"\n[train]\nepochs = 2\n\
                  [output]\npath = \"by-recipe\"";
    place.write("hub.toml", recipe);
    place.run(&["check", "--no-timing", "hub.toml"]).ok();
    place.run(&["fit", "hub.toml"]).ok();
    assert_eq!(read("by-recipe/run.json")["model"]["address"], address);
    assert_eq!(server.requests(), asked, "what is in the cache is not asked for");
    let eval = place.run(&["--json", "eval", "--model", "by-recipe/model", "--data", "reviews.tsv"]).json();
    assert_eq!(eval["items"], 60);
    place.run(&["resume", "by-recipe"]).ok();
}
