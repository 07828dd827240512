//! The new data set, of the same form as the old one: rows and files are copied as they are, those left out are not.
//!
//! Headers, the order of columns, quotes, the encoding and line ends of texts stay as they are, for nothing is written anew; of Parquet and
//! Arrow types, metadata and packing. A file that is packed (`.gz`) is packed again. Of a folder only the files that hold examples are
//! copied. In rows that are repaired, only characters beyond ASCII change.

use super::{Plan, Repaired, log};
use crate::collection::{Collection, Content, Item, Part, Sources};
use crate::error::AuditError;
use crate::findings::encoding;
use retune_data::sources::rewrite::{self, Fate};
use retune_data::sources::text::TextEncoding;
use retune_data::{Dataset, EncodedImages, ImageSource, Inputs, Origins};
use std::fs::{self, File};
use std::io::BufWriter;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// Whether a cleaned copy can be written, before any work is done for it.
///
/// # Errors
/// Output or log that exist, data that is kept in no form that can be written, and an output from which files that the data names would not
/// be found.
pub fn check(collection: &Collection, sources: &Sources, output: &Path, log_path: &Path) -> Result<(), AuditError> {
    for path in [output, log_path] {
        if path.symlink_metadata().is_ok() {
            return Err(AuditError::OutputExists { path: path.to_path_buf() });
        }
    }
    let roots = Roots::of(sources, output);
    roots.sources.iter().try_for_each(|root| apart(root, output))?;
    for part in collection.parts() {
        if let Some(found) = unwritable(part) {
            return Err(AuditError::Unsupported { path: part.path.clone(), found });
        }
        roots.check_images(part)?;
    }
    Ok(())
}

/// What a part holds that cannot be written; `None` where it can be.
pub(crate) fn unwritable(part: &Part) -> Option<&'static str> {
    let Content::Examples(data) = &part.content else { return None };
    let mut origins = data.origins();
    while let Origins::Some { all, .. } = origins {
        origins = all;
    }
    match (origins, data.inputs()) {
        (Origins::Unknown, Inputs::Encoded(EncodedImages { source: ImageSource::Files { .. }, .. })) => None,
        (Origins::Unknown, _) => Some("arrays"),
        _ => None,
    }
}

/// Writes what a plan leaves of a collection to `output`, and its log to `log_path`. Gives the number of items that were repaired: those whose
/// file is in UTF-8, and in which the characters stand for themselves.
///
/// A single source becomes a file or folder named `output`; several become files and folders of their own names in it.
///
/// # Errors
/// Those of [`check`], a part of which nothing would be left, and whatever the operating system refuses. Nothing half-written is left
/// behind.
pub fn clean(
    collection: &Collection,
    sources: &Sources,
    plan: &Plan,
    output: &Path,
    log_path: &Path,
) -> Result<usize, AuditError> {
    check(collection, sources, output, log_path)?;
    let draft = Draft::beside(output);
    let log_draft = Draft::beside(log_path);
    let roots = Roots::of(sources, &draft.path);
    let mut fates = vec![Fate::Copied; collection.len()];
    plan.repaired.iter().for_each(|repaired| fates[repaired.item as usize] = Fate::Repaired);
    plan.dropped.iter().for_each(|dropped| fates[dropped.item as usize] = Fate::Dropped);
    for (index, part) in collection.parts().iter().enumerate() {
        let items = collection.items_of(index);
        let fates = &mut fates[items.start as usize..items.end as usize];
        if fates.iter().all(|fate| *fate == Fate::Dropped) {
            return Err(AuditError::NothingLeft { path: part.path.clone(), rows: part.len() });
        }
        Writer { roots: &roots, encoding: sources.options.encoding }.write(part, fates)?;
    }
    let repaired: Vec<&Repaired> =
        plan.repaired.iter().filter(|repaired| fates[repaired.item as usize] == Fate::Repaired).collect();
    let failed = |error| AuditError::io("write", log_path)(error);
    let mut out = BufWriter::new(File::create(&log_draft.path).map_err(failed)?);
    log::write(&mut out, collection, &plan.dropped, &repaired).map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    fs::rename(&draft.path, output).map_err(AuditError::io("write", output))?;
    fs::rename(&log_draft.path, log_path).map_err(failed)?;
    Ok(repaired.len())
}

/// The items that a plan leaves of each part.
pub fn left(collection: &Collection, plan: &Plan) -> Vec<usize> {
    let dropped = |items: &Range<Item>| plan.dropped.iter().filter(|dropped| items.contains(&dropped.item)).count();
    (0..collection.parts().len()).map(|index| collection.items_of(index)).map(|i| i.len() - dropped(&i)).collect()
}

/// An error where data and output lie within each other.
fn apart(data: &Path, output: &Path) -> Result<(), AuditError> {
    let nested = || AuditError::Nested { output: output.to_path_buf(), data: data.to_path_buf() };
    let data_path = fs::canonicalize(data).map_err(AuditError::io("read", data))?;
    // The output does not exist; the nearest folder above it does.
    let absolute = std::path::absolute(output).map_err(AuditError::io("write", output))?;
    let above = absolute.ancestors().skip(1).find_map(|folder| fs::canonicalize(folder).ok());
    match above {
        Some(above) if data_path.is_dir() && above.starts_with(&data_path) => Err(nested()),
        _ => Ok(()),
    }
}

/// Where the data is, and where it is written.
struct Roots<'a> {
    sources: Vec<&'a Path>,
    output: &'a Path,
}

impl<'a> Roots<'a> {
    fn of(sources: &'a Sources, output: &'a Path) -> Roots<'a> {
        let all = std::iter::once(&sources.data).chain(&sources.validation).chain(&sources.test);
        Roots { sources: all.map(PathBuf::as_path).collect(), output }
    }

    /// Where a file of the data is written.
    fn target(&self, source: &Path) -> PathBuf {
        // The longest root that holds the file, as one source can lie in the folder of another.
        let holding = self.sources.iter().filter(|root| source.starts_with(root));
        let root = holding.max_by_key(|root| root.components().count());
        let rest = root.and_then(|root| source.strip_prefix(root).ok()).unwrap_or(source);
        let base = match root.filter(|_| self.sources.len() > 1).and_then(|root| root.file_name()) {
            Some(name) => self.output.join(name),
            None => self.output.to_path_buf(),
        };
        if rest.as_os_str().is_empty() { base } else { base.join(rest) }
    }

    /// Whether an image file is copied; else it stays where it is, and a new table that names it finds it there: by its whole path, or
    /// because the table is a file of its own that is written beside the old one.
    fn takes(&self, image: &Path) -> bool {
        let is_plain = |rest: &Path| rest.components().all(|component| matches!(component, Component::Normal(_)));
        self.sources.iter().any(|root| image.strip_prefix(root).is_ok_and(is_plain))
    }

    /// An error where a table names image files that would not be found from the new one.
    fn check_images(&self, part: &Part) -> Result<(), AuditError> {
        let Content::Examples(data) = &part.content else { return Ok(()) };
        let Inputs::Encoded(EncodedImages { source: ImageSource::Files { root, names }, .. }) = data.inputs() else {
            return Ok(());
        };
        let is_lost = |name: &PathBuf| name.is_relative() && !self.takes(&root.join(name));
        let Some(table) = data.origins().of(0).and_then(|(origins, _)| file_of(origins)) else { return Ok(()) };
        if self.is_beside(&self.target(table), table) || !names.iter().any(is_lost) {
            return Ok(());
        }
        Err(AuditError::NamesFiles { path: table.to_path_buf(), output: self.output.to_path_buf() })
    }

    /// Whether two files lie in the same folder.
    fn is_beside(&self, file: &Path, other: &Path) -> bool {
        let folder = |file: &Path| std::path::absolute(file).and_then(|file| fs::canonicalize(file.with_file_name("")));
        folder(file).is_ok_and(|one| folder(other).is_ok_and(|other| one == other))
    }
}

/// The file whose rows examples are.
fn file_of(origins: &Origins) -> Option<&Path> {
    match origins {
        Origins::Lines { path, .. } | Origins::Elements { path } | Origins::Rows { path } => Some(path),
        _ => None,
    }
}

/// What texts were meant to be.
fn meant(text: &str) -> Option<String> {
    encoding::meant(text).map(|(_, meant)| meant)
}

struct Writer<'a> {
    roots: &'a Roots<'a>,
    encoding: Option<TextEncoding>,
}

impl Writer<'_> {
    fn write(&self, part: &Part, fates: &mut [Fate]) -> Result<(), AuditError> {
        match &part.content {
            Content::Table(table) => self.write_lines(&part.path, &|index| Some(table.lines(index)), fates),
            Content::Examples(data) => {
                self.write_rows(data.origins(), fates)?;
                self.copy_images(data, fates)
            }
        }
    }

    /// Writes the rows of files.
    fn write_rows(&self, origins: &Origins, fates: &mut [Fate]) -> Result<(), AuditError> {
        match origins {
            Origins::Lines { path, .. } => self.write_lines(path, &|index| origins.lines(index), fates),
            Origins::Elements { path } => Ok(rewrite::elements(path, &self.made(path)?, self.encoding, fates, &meant)?),
            Origins::Rows { path } => Ok(rewrite::columns(path, &self.made(path)?, fates, &meant)?),
            Origins::Files(paths) => paths.iter().zip(fates).try_for_each(|(path, fate)| self.copy_text(path, fate)),
            Origins::Several(files) => {
                let ends = files.iter().skip(1).map(|(first, _)| *first).chain([fates.len()]);
                for ((first, origins), end) in files.iter().zip(ends) {
                    self.write_rows(origins, &mut fates[*first..end])?;
                }
                Ok(())
            }
            // Images that are files of their own.
            _ => Ok(()),
        }
    }

    fn write_lines(
        &self,
        path: &Path,
        rows: &dyn Fn(usize) -> Option<Range<u64>>,
        fates: &mut [Fate],
    ) -> Result<(), AuditError> {
        Ok(rewrite::lines(path, &self.made(path)?, self.encoding, rows, fates, &meant)?)
    }

    /// Copies a file that is one text.
    fn copy_text(&self, path: &Path, fate: &mut Fate) -> Result<(), AuditError> {
        if *fate == Fate::Dropped {
            return Ok(());
        }
        let to = self.made(path)?;
        if *fate == Fate::Repaired {
            let text = fs::read_to_string(path).ok();
            if let Some(meant) = text.and_then(|text| meant(&text)) {
                return fs::write(&to, meant).map_err(AuditError::io("write", &to));
            }
            *fate = Fate::Copied;
        }
        copy_file(path, &to)
    }

    /// Copies the image files of examples that are kept; those of a table stand where it says.
    fn copy_images(&self, data: &Dataset, fates: &[Fate]) -> Result<(), AuditError> {
        let Inputs::Encoded(images) = data.inputs() else { return Ok(()) };
        for (index, _) in fates.iter().enumerate().filter(|(_, fate)| **fate != Fate::Dropped) {
            // One that a table names, though it is not there, is not there afterwards either.
            let Some(path) = images.path(index).filter(|path| self.roots.takes(path) && path.is_file()) else {
                continue;
            };
            copy_file(&path, &self.made(&path)?)?;
        }
        Ok(())
    }

    /// Where a file is written; its folder is made.
    fn made(&self, source: &Path) -> Result<PathBuf, AuditError> {
        let path = self.roots.target(source);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(AuditError::io("make", folder))?;
        }
        Ok(path)
    }
}

fn copy_file(from: &Path, to: &Path) -> Result<(), AuditError> {
    fs::copy(from, to).map(|_| ()).map_err(AuditError::io("copy", from))
}

/// A file or folder beside the one to write; removed unless it was renamed.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn beside(output: &Path) -> Draft {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        Draft { path: output.with_file_name(format!(".draft-{}-{name}", std::process::id())) }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename nothing is left to remove.
        let _ = fs::remove_file(&self.path).or_else(|_| fs::remove_dir_all(&self.path));
    }
}
