//! Image folders: one sub-folder per class, classes numbered in the order of their names.
//!
//! ```text
//! pets/cat/1.jpg                 pets/train/cat/1.jpg
//! pets/cat/2.jpg       or        pets/train/dog/2.jpg
//! pets/dog/1.png                 pets/test/dog/3.jpg       (also `validation`, `valid`, `val`)
//! ```
//!
//! Folders may nest below a class. Hidden files are left out; files not named as images are left out and counted in the
//! description. Every image's header is read when the folder is opened, in parallel, so that an unreadable file is
//! known before training.

use super::{Parts, SourceOptions, TEST, TRAIN, VALIDATION, list_folder, name_of};
use crate::dataset::{Dataset, EncodedImages, ImageSource, Inputs};
use crate::decode::{ImageHeader, check_image_file, is_image_name};
use crate::error::{BadExample, DataError};
use crate::labels::Labels;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Deepest nesting below a class; deeper is a loop of links.
const MAX_DEPTH: usize = 16;

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    let folders: Vec<PathBuf> = list_folder(path)?.into_iter().filter(|e| e.is_dir()).collect();
    let part = |names: &[&str]| folders.iter().find(|f| names.contains(&name_of(f).to_ascii_lowercase().as_str()));
    let Some(train) = part(TRAIN) else {
        return Ok(read(path, folders, None, options)?.into());
    };
    let train = read(train, class_folders(train)?, None, options)?;
    let classes = train.class_names().map(<[String]>::to_vec);
    let other = |names: &[&str]| {
        part(names).map(|folder| read(folder, class_folders(folder)?, classes.as_deref(), options)).transpose()
    };
    Ok(Parts { validation: other(VALIDATION)?, test: other(TEST)?, train })
}

fn class_folders(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(list_folder(path)?.into_iter().filter(|e| e.is_dir()).collect())
}

/// Reads one part. `known` are the classes of the training part; without it, each folder is a class and may not be
/// empty.
fn read(
    root: &Path,
    folders: Vec<PathBuf>,
    known: Option<&[String]>,
    options: &SourceOptions,
) -> Result<Dataset, DataError> {
    let place = root.display().to_string();
    let found: Vec<String> = folders.iter().map(|f| name_of(f)).collect();
    let classes = known.map_or_else(|| found.clone(), <[String]>::to_vec);
    let (mut names, mut indices, mut ignored) = (Vec::new(), Vec::new(), 0);
    for (folder, name) in folders.iter().zip(found) {
        let Some(class) = classes.iter().position(|c| *c == name) else {
            return Err(DataError::UnknownClass { place, class: name, known: classes });
        };
        let before = names.len();
        collect(root, folder, 0, &mut names, &mut ignored)?;
        if names.len() == before && known.is_none() {
            return Err(DataError::EmptyClass { place: format!("`{place}`"), class: name });
        }
        indices.resize(names.len(), class as i32);
    }
    let headers: Vec<Result<ImageHeader, String>> =
        names.par_iter().map(|name| check_image_file(&root.join(name))).collect();
    let mut sizes = headers.iter().flatten().map(|h| [h.height, h.width]);
    let size = sizes.next().filter(|first| sizes.all(|other| other == *first));
    let bad: Vec<BadExample> = headers
        .into_iter()
        .zip(&names)
        .enumerate()
        .filter_map(|(id, (header, name))| {
            let reason = header.err()?;
            Some(BadExample { id: id as u64, place: root.join(name).display().to_string(), reason })
        })
        .collect();
    let mut description = format!("{place} ({} images in {} class folders", names.len(), classes.len());
    if ignored > 0 {
        description.push_str(&format!(", {ignored} other files left out"));
    }
    description.push(')');
    let labels = Labels::classes(&place, indices, classes.len())?;
    let images = EncodedImages { source: ImageSource::Files { root: root.to_path_buf(), names }, size };
    let data = Dataset::new(description, Inputs::Encoded(images), labels)?.with_class_names(classes)?;
    let data = data.excluding(bad, options.tolerance)?;
    if known.is_none() {
        data.check_classes_present(&data.ids())?;
    }
    Ok(data)
}

/// The images of a folder and of those in it, in the order of their names.
pub fn images_of(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut names = Vec::new();
    collect(folder, folder, 0, &mut names, &mut 0)?;
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn collect(
    root: &Path,
    folder: &Path,
    depth: usize,
    names: &mut Vec<PathBuf>,
    ignored: &mut usize,
) -> Result<(), DataError> {
    if depth > MAX_DEPTH {
        return Err(DataError::UnknownKind {
            path: folder.to_path_buf(),
            found: format!("folders nested more than {MAX_DEPTH} deep"),
        });
    }
    for entry in list_folder(folder)? {
        if entry.is_dir() {
            collect(root, &entry, depth + 1, names, ignored)?;
        } else if is_image_name(&entry) {
            names.push(entry.strip_prefix(root).unwrap_or(&entry).to_path_buf());
        } else {
            *ignored += 1;
        }
    }
    Ok(())
}
