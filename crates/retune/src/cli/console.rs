//! What is printed, and where: results go to standard output, all else to standard error.

use super::failure::Failure;
use retune::train::language::{Language, Said};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    json: bool,
    quiet: bool,
    language: Language,
}

impl Console {
    /// With `json`, the result is one JSON object; with `quiet`, there are no messages but errors. Messages on the way are in a language.
    pub fn new(json: bool, quiet: bool, language: Language) -> Console {
        Console { json, quiet, language }
    }

    /// Prints a command's result: `text` for people, or the JSON object.
    pub fn result(&self, text: &str, object: impl FnOnce() -> Value) {
        if self.json {
            print(&object().to_string());
        } else {
            print(text);
        }
    }

    /// A message on the way.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", text.as_ref());
        }
    }

    /// The same of a message in both languages.
    pub fn said(&self, message: &Said) {
        self.note(message.of(self.language));
    }

    /// The language of messages.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Why the command failed: in English for programs, in the user's language for people.
    pub fn failure(&self, failure: Failure) {
        if self.json && !failure.is_reported() {
            print(&json!({ "error": failure.message(), "hints": failure.hints() }).to_string());
        }
        eprintln!("{}", failure.in_language(self.language));
    }

    /// Whether a bar that redraws itself can be shown.
    pub fn shows_progress_bar(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// The same without messages.
    pub fn silenced(self) -> Console {
        Console { quiet: true, ..self }
    }

    /// Whether results are JSON objects.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether messages are left out.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }
}

/// Prints a line to standard output. A reader that has gone away, as `head` does, is no error.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
