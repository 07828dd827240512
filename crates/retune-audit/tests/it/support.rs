//! Folders with data, and what is found in them.

use retune_audit::collection::Place;
use retune_audit::findings::Remedy;
use retune_audit::{Collection, Facts, Finding, Kind, Language, Report, Said, Sources};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder of its own.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// Opened data with what was found.
pub struct Checked {
    pub collection: Collection,
    pub facts: Facts,
    pub report: Report,
}

pub fn check(path: &Path) -> Checked {
    check_sources(&Sources { data: path.to_owned(), ..Sources::default() })
}

pub fn check_sources(sources: &Sources) -> Checked {
    let collection = Collection::open(sources).unwrap_or_else(|error| panic!("{error}"));
    let facts = Facts::gather(&collection, 0.8);
    let report = Report::new(&collection, &facts, None, sources.data.display().to_string(), 10);
    report.findings.iter().for_each(is_said_in_chinese);
    Checked { collection, facts, report }
}

/// Fails where a finding of any test has words that nobody translated: letters outside of names in backticks. What the readers say of
/// broken rows, and names and contents of the data, are the same in both languages.
fn is_said_in_chinese(finding: &Finding) {
    let is_chinese = |said: &Said| {
        let chinese = said.of(Language::Chinese);
        let words: String = chinese.split('`').step_by(2).collect();
        assert!(!words.contains(|c: char| c.is_ascii_alphabetic()), "{:?}: {chinese}", finding.kind);
        assert!(words.contains(|c: char| ('\u{4e00}'..'\u{a000}').contains(&c)), "{:?}: {chinese}", finding.kind);
    };
    is_chinese(&finding.title);
    is_chinese(&finding.why);
    finding.details.iter().filter(|_| finding.kind != Kind::Unreadable).for_each(is_chinese);
    if let Remedy::Advice(words) = &finding.remedy {
        is_chinese(words);
    }
}

impl Checked {
    pub fn find(&self, kind: Kind) -> Option<&Finding> {
        self.report.findings.iter().find(|finding| finding.kind == kind)
    }

    pub fn finding(&self, kind: Kind) -> &Finding {
        self.find(kind).unwrap_or_else(|| panic!("no {kind:?} among {:#?}", self.report.findings))
    }

    pub fn kinds(&self) -> Vec<Kind> {
        self.report.findings.iter().map(|finding| finding.kind).collect()
    }
}

/// Name of the file and row of a place.
pub fn at(place: &Place) -> (String, Option<u64>) {
    (Path::new(&place.file).file_name().unwrap().to_string_lossy().into_owned(), place.row)
}

/// Rows of all places of an example.
pub fn rows(finding: &Finding, example: usize) -> Vec<u64> {
    finding.examples[example].places.iter().map(|place| place.row.unwrap()).collect()
}
