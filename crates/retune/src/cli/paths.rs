//! Files that the user names: whether they are there, and what may have been meant.

use super::Result;
use super::failure::Failure;
use retune::models::report::edit_distance;
use retune::train::language::Said;
use std::path::{Component, Path, PathBuf};

/// An error if nothing stands at `path`; it names the most similar name beside it.
pub fn must_exist(path: &Path) -> Result {
    if path.exists() {
        return Ok(());
    }
    let path = &tidy(path);
    // The first part that is missing tells more than the whole path.
    let missing = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).last().unwrap_or(path);
    let failure = if missing == path {
        Failure::new(Said::new(format!("`{}` does not exist", path.display()), format!("`{}` 不存在", path.display())))
    } else {
        Failure::new(Said::new(
            format!("`{}` does not exist: there is no `{}`", path.display(), missing.display()),
            format!("`{}` 不存在：没有 `{}`", path.display(), missing.display()),
        ))
    };
    Err(match nearest_sibling(missing) {
        Some(nearest) => {
            let rest = path.strip_prefix(missing).unwrap_or(Path::new(""));
            let meant = if rest.as_os_str().is_empty() { nearest } else { nearest.join(rest) };
            failure.hint(format!("did you mean `{}`?", meant.display()))
        }
        None if path.is_relative() => match std::env::current_dir() {
            Ok(folder) => failure.hint(format!("paths are taken from `{}`", folder.display())),
            Err(_) => failure,
        },
        None => failure,
    })
}

/// The path without needless `folder/..`; one that leads through a link stays as it is.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        let is_plain_folder =
            matches!(tidied.components().next_back(), Some(Component::Normal(_))) && !tidied.is_symlink();
        match part {
            Component::ParentDir if is_plain_folder => {
                tidied.pop();
            }
            Component::CurDir => {}
            part => tidied.push(part),
        }
    }
    if tidied.as_os_str().is_empty() { PathBuf::from(".") } else { tidied }
}

/// An error if something stands at `path` already, unless it may be replaced.
pub fn must_not_exist(path: &Path, force: bool) -> Result {
    if force || !path.exists() {
        return Ok(());
    }
    let failure = Failure::new(Said::new(
        format!("`{}` exists already", path.display()),
        format!("`{}` 已经存在", path.display()),
    ));
    Err(failure.hint("choose another name, or replace it with `--force`"))
}

/// The entry in the folder of `path` whose name is most like its own.
fn nearest_sibling(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let folder = path.parent()?;
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let names: Vec<String> = std::fs::read_dir(listed)
        .ok()?
        .take(10_000)
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    nearest(&name, names.iter().map(String::as_str)).map(|name| folder.join(name))
}

/// The candidate that differs from `name` by the fewest edits, if by at most a third of its characters.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, best) = candidates.map(|c| (edit_distance(name, c), c)).min()?;
    (distance * 3 <= name.chars().count().max(3)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!((edit_distance("", "ab"), edit_distance("模型", "模形")), (2, 1));
        assert_eq!(nearest("modle.h5", ["model.h5", "model.keras"].into_iter()), Some("model.h5"));
        assert_eq!(nearest("modle.h5", ["photos"].into_iter()), None);
    }

    #[test]
    fn paths_are_tidied() {
        assert_eq!(tidy(Path::new("recipes/../runs/./a")), Path::new("runs/a"));
        assert_eq!(tidy(Path::new("../runs")), Path::new("../runs"));
        assert_eq!(tidy(Path::new("a/..")), Path::new("."));
        assert_eq!(tidy(Path::new("/a/../b")), Path::new("/b"));
    }
}
