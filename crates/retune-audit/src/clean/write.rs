//! The new data set, of the same form as the old one: rows and files are copied byte for byte, those left out are not.
//!
//! Headers, the order of columns, quotes, the encoding and line ends stay as they are, for nothing is written anew. A file that
//! is packed (`.gz`) is packed again. Of a folder only the files that hold examples are copied. In rows that are repaired, only characters
//! beyond ASCII change.

use super::{Plan, Repaired, log};
use crate::collection::{Collection, Content, Item, Part, Sources};
use crate::error::AuditError;
use crate::findings::encoding;
use crate::text_file::{self, Lines};
use flate2::Compression;
use flate2::write::GzEncoder;
use retune_data::{EncodedImages, Inputs, Origins};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Writes what a plan leaves of a collection to `output`, and its log to `log_path`. Gives the number of items that were repaired: those whose
/// file is in UTF-8, and in which the characters stand for themselves.
///
/// A single source becomes a file or folder named `output`; several become files and folders of their own names in it.
///
/// # Errors
/// Output or log that exist, data that is kept in no form that can be written, a part of which nothing would be left, and whatever
/// the operating system refuses. Nothing half-written is left behind.
pub fn clean(
    collection: &Collection,
    sources: &Sources,
    plan: &Plan,
    output: &Path,
    log_path: &Path,
) -> Result<usize, AuditError> {
    for path in [output, log_path] {
        if path.symlink_metadata().is_ok() {
            return Err(AuditError::OutputExists { path: path.to_path_buf() });
        }
    }
    let roots: Vec<&Path> =
        std::iter::once(&sources.data).chain(&sources.validation).chain(&sources.test).map(PathBuf::as_path).collect();
    roots.iter().try_for_each(|root| apart(root, output))?;
    let draft = Draft::beside(output);
    let log_draft = Draft::beside(log_path);
    if roots.len() > 1 {
        fs::create_dir_all(&draft.path).map_err(AuditError::io("make", &draft.path))?;
    }
    let mut fates = vec![Fate::Copied; collection.len()];
    plan.repaired.iter().for_each(|repaired| fates[repaired.item as usize] = Fate::Repaired);
    plan.dropped.iter().for_each(|dropped| fates[dropped.item as usize] = Fate::Dropped);
    for (index, part) in collection.parts().iter().enumerate() {
        let target = |source: &Path| target(source, &roots, &draft.path);
        let items = collection.items_of(index);
        let fates = &mut fates[items.start as usize..items.end as usize];
        if fates.iter().all(|fate| *fate == Fate::Dropped) {
            return Err(AuditError::NothingLeft { path: part.path.clone(), rows: part.len() });
        }
        write_part(part, fates, &target)?;
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

/// What becomes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Copied,
    Repaired,
    Dropped,
}

impl Fate {
    /// The bytes that are written of an item: none, the same, or those of what its text was meant to be. What cannot be repaired is
    /// copied, and becomes [`Fate::Copied`].
    fn apply<'a>(&mut self, bytes: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let meant = match self {
            Fate::Dropped => return None,
            Fate::Copied => None,
            Fate::Repaired => std::str::from_utf8(bytes).ok().and_then(encoding::meant),
        };
        Some(match meant {
            Some((_, meant)) => Cow::Owned(meant.into_bytes()),
            None => {
                *self = Fate::Copied;
                Cow::Borrowed(bytes)
            }
        })
    }
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

/// Where a file of the data is written.
fn target(source: &Path, roots: &[&Path], output: &Path) -> PathBuf {
    // The longest root that holds the file, as one source can lie in the folder of another.
    let root = roots.iter().filter(|root| source.starts_with(root)).max_by_key(|root| root.components().count());
    let rest = root.and_then(|root| source.strip_prefix(root).ok()).unwrap_or(source);
    let base = match root.filter(|_| roots.len() > 1).and_then(|root| root.file_name()) {
        Some(name) => output.join(name),
        None => output.to_path_buf(),
    };
    if rest.as_os_str().is_empty() { base } else { base.join(rest) }
}

fn write_part(part: &Part, fates: &mut [Fate], target: &dyn Fn(&Path) -> PathBuf) -> Result<(), AuditError> {
    let unsupported = |found| AuditError::Unsupported { path: part.path.clone(), found };
    match &part.content {
        Content::Table(table) => write_lines(&part.path, &target(&part.path), fates, &|index| Some(table.lines(index))),
        Content::Examples(data) => match (data.inputs(), data.origins()) {
            (Inputs::Encoded(images), Origins::Unknown) => copy_images(images, fates, target),
            (inputs, Origins::Lines { path, .. }) => {
                write_lines(path, &target(path), fates, &|index| data.origins().lines(index))?;
                match inputs {
                    Inputs::Encoded(images) => copy_images(images, fates, target),
                    _ => Ok(()),
                }
            }
            (Inputs::Texts(_), Origins::Elements { path }) => write_elements(path, &target(path), fates),
            (_, Origins::Files(paths)) => copy_files(paths.iter().cloned(), fates, target),
            (_, Origins::Rows { .. }) => Err(unsupported("Parquet or Arrow")),
            (_, Origins::Several(_)) => Err(unsupported("several files of one part")),
            (Inputs::Images(_) | Inputs::Features(_), _) => Err(unsupported("arrays")),
            _ => Err(unsupported("an archive")),
        },
    }
}

/// Copies the files of images; those of a table stand where the table says.
fn copy_images(
    images: &EncodedImages,
    fates: &mut [Fate],
    target: &dyn Fn(&Path) -> PathBuf,
) -> Result<(), AuditError> {
    copy_files((0..fates.len()).map(|index| images.path(index).unwrap_or_default()), fates, target)
}

fn copy_files(
    paths: impl Iterator<Item = PathBuf>,
    fates: &mut [Fate],
    target: &dyn Fn(&Path) -> PathBuf,
) -> Result<(), AuditError> {
    for (path, fate) in paths.zip(fates).filter(|(_, fate)| **fate != Fate::Dropped) {
        let to = target(&path);
        make_folder_of(&to)?;
        if *fate == Fate::Repaired {
            let bytes = fs::read(&path).map_err(AuditError::io("read", &path))?;
            fs::write(&to, fate.apply(&bytes).unwrap_or_default()).map_err(AuditError::io("write", &to))?;
        } else {
            fs::copy(&path, &to).map_err(AuditError::io("copy", &path))?;
        }
    }
    Ok(())
}

/// Copies all lines but those of the rows left out; lines before the first row are a header and stay.
fn write_lines(
    source: &Path,
    target: &Path,
    fates: &mut [Fate],
    lines_of: &dyn Fn(usize) -> Option<Range<u64>>,
) -> Result<(), AuditError> {
    let changed = || AuditError::Changed { path: source.to_path_buf() };
    let lines = Lines::read(source)?;
    let mut out = Vec::new();
    let first = lines_of(0).ok_or_else(changed)?.start;
    out.extend(lines.get(1..first).unwrap_or_default());
    let mut at = first;
    for (index, fate) in fates.iter_mut().enumerate() {
        let range = lines_of(index).filter(|range| range.start == at && range.end > at).ok_or_else(changed)?;
        at = range.end;
        let bytes = lines.get(range).ok_or_else(changed)?;
        out.extend_from_slice(&fate.apply(bytes).unwrap_or_default());
    }
    write_file(target, text_file::is_packed(source), &out)
}

/// Writes the elements of a JSON array that are kept, each as it stands.
fn write_elements(source: &Path, target: &Path, fates: &mut [Fate]) -> Result<(), AuditError> {
    let changed = || AuditError::Changed { path: source.to_path_buf() };
    let text = text_file::read(source)?;
    if text.trim_start().starts_with('{') {
        return Err(AuditError::Unsupported { path: source.to_path_buf(), found: "an object around an array" });
    }
    let elements: Vec<&RawValue> = serde_json::from_str(&text).map_err(|_| changed())?;
    if elements.len() != fates.len() {
        return Err(changed());
    }
    let kept = elements.iter().zip(fates).filter_map(|(element, fate)| fate.apply(element.get().as_bytes()));
    let out = [b"[\n", kept.collect::<Vec<_>>().join(b",\n".as_slice()).as_slice(), b"\n]\n"].concat();
    write_file(target, text_file::is_packed(source), &out)
}

fn make_folder_of(path: &Path) -> Result<(), AuditError> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder).map_err(AuditError::io("make", folder)),
        None => Ok(()),
    }
}

fn write_file(path: &Path, is_packed: bool, bytes: &[u8]) -> Result<(), AuditError> {
    make_folder_of(path)?;
    let write = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        if is_packed {
            let mut packed = GzEncoder::new(&mut file, Compression::default());
            packed.write_all(bytes)?;
            packed.finish()?;
        } else {
            file.write_all(bytes)?;
        }
        file.sync_all()
    };
    write().map_err(AuditError::io("write", path))
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
