//! Errors as the user meets them: what is wrong, what to do, and the exit code.
//!
//! Library errors say what to do on a line of its own that begins `hint: `; that line is kept apart here, so that it can be
//! printed and given to programs as such.

use super::sentences;
use retune::train::language::{Language, Said, phrases};
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// Why a command ended without its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: Said,
    hints: Vec<Said>,
    code: u8,
    is_reported: bool,
    language: Language,
}

impl Failure {
    /// Something is wrong with the input or the run: exit code 1.
    pub fn new(message: impl Into<Said>) -> Failure {
        Failure { message: message.into(), hints: Vec::new(), code: 1, is_reported: false, language: Language::English }
    }

    /// The user stopped the command: exit code 130.
    pub fn interrupted(message: impl Into<Said>) -> Failure {
        Failure { code: 130, ..Failure::new(message) }
    }

    /// Options that do not go together: exit code 2.
    pub fn usage(message: impl Into<Said>) -> Failure {
        Failure { code: 2, ..Failure::new(message) }
    }

    /// A file could not be written: exit code 1.
    pub fn cannot_write(path: &Path, error: impl fmt::Display) -> Failure {
        let path = path.display();
        Failure::new(Said::new(format!("cannot write `{path}`: {error}"), format!("无法写入 `{path}`：{error}")))
    }

    /// The command's result says the same already: programs need no second object.
    pub fn reported(self) -> Failure {
        Failure { is_reported: true, ..self }
    }

    /// Whether the command's result says the same already.
    pub fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// Adds what to do, in English; its Chinese is looked up.
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        self.hint_said(Said::looked_up(hint))
    }

    /// Adds what to do.
    pub fn hint_said(mut self, hint: Said) -> Failure {
        self.hints.push(hint);
        self
    }

    /// The same in a language.
    pub fn in_language(mut self, language: Language) -> Failure {
        if language == Language::Chinese {
            // Those that belong to one of several problems stand in the message.
            let line = |line: &str| match line.split_once("hint: ") {
                Some((before, hint)) if before.trim().is_empty() => format!("{before}提示：{}", phrases::chinese(hint)),
                _ => line.to_owned(),
            };
            let chinese: Vec<String> = self.message.of(language).lines().map(line).collect();
            self.message = Said::new(self.message.english(), phrases::with_data_sets(&chinese.join("\n")));
        }
        self.language = language;
        self
    }

    /// Names the file in which something is wrong, unless the message does.
    pub fn within(mut self, path: &Path) -> Failure {
        let name = format!("`{}`", path.display());
        if !self.message.english().contains(&name) {
            let [english, chinese] = [Language::English, Language::Chinese].map(|l| self.message.of(l));
            self.message = Said::new(format!("{name}: {english}"), format!("{name}：{chinese}"));
        }
        self
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        self.message.of(self.language)
    }

    /// What to do.
    pub fn hints(&self) -> Vec<&str> {
        self.hints.iter().map(|hint| hint.of(self.language)).collect()
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Whether the user stopped the command.
    pub fn is_interruption(&self) -> bool {
        self.code == 130
    }
}

/// Parts the lines that begin `hint: ` from the rest, and appends the causes that the message does not name itself.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text = format!("{text}: {inner_text}");
            }
            cause = inner.source();
        }
        let (mut message, mut hints) = (Vec::new(), Vec::new());
        for line in text.lines() {
            // Hints further to the right belong to one of several problems and stay there.
            match line.strip_prefix("hint: ") {
                Some(hint) => hints.push(Said::looked_up(hint)),
                None => message.push(line),
            }
        }
        let english = message.join("\n");
        let chinese = sentences::chinese(&error).unwrap_or_else(|| phrases::chinese(&english));
        Failure { hints, ..Failure::new(Said::new(english, chinese)) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (error, mark) = match self.language {
            Language::Chinese => ("错误：", "提示："),
            _ => ("error: ", "hint: "),
        };
        // An interruption is no error.
        let error = if self.is_interruption() { "" } else { error };
        write!(f, "{error}{}", self.message())?;
        self.hints().iter().try_for_each(|hint| write!(f, "\n{mark}{hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_kept_apart() {
        let error = std::io::Error::other("`a` is damaged\nhint: fetch it again");
        let failure = Failure::from(error);
        assert_eq!((failure.message(), failure.hints()), ("`a` is damaged", vec!["fetch it again"]));
        assert_eq!(failure.to_string(), "error: `a` is damaged\nhint: fetch it again");
        let chinese =
            Failure::new(Said::new("2 problems", "2 个问题：\n  a\n    hint: leave it out")).hint("did you mean `b`?");
        let chinese = chinese.in_language(Language::Chinese).to_string();
        assert_eq!(chinese, "错误：2 个问题：\n  a\n    提示：请去掉它\n提示：您是否想用 `b`？");
    }
}
