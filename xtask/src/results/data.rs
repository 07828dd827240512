//! The parts of a task's data: as they are, or made once below `target/results/data`.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::folder as results;
use super::tasks::{Data, Task};
use crate::Result;
use crate::process::{program, run};

/// Where the parts of a task's data lie.
pub(super) struct Parts {
    /// The values of `data.path`, and, unless the path has all parts, of `data.validation` and `data.test`.
    pub(super) paths: Vec<(&'static str, PathBuf)>,
    /// A second test part: the items of the first that do not stand in train.
    pub(super) unseen: Option<PathBuf>,
}

/// Finds or makes the parts of a task's data, which lie in `folder`.
pub(super) fn parts(task: &Task, folder: &Path, retune: &Path) -> Result<Parts> {
    let own = results().join("data").join(task.name);
    let keyed = |paths: [PathBuf; 3]| ["data.path", "data.validation", "data.test"].into_iter().zip(paths).collect();
    let paths = match task.data {
        Data::Folder(path) => vec![("data.path", unpacked(&folder.join(path))?)],
        Data::Parts(paths) => keyed(paths.map(|path| folder.join(path))),
        Data::TrainAndTest([train, test]) => {
            let [train, validation, _] = divided(&folder.join(train), &own, "", [9, 1, 0])?;
            keyed([train, validation, folder.join(test)])
        }
        Data::Table(path) => {
            let path = folder.join(path);
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let clean = own.join(format!("clean.{extension}"));
            if !clean.exists() {
                fs::create_dir_all(&own)?;
                run(program(retune).args(["clean", "--quiet", "--output"]).arg(&clean).arg(path))?;
            }
            keyed(divided(&clean, &own, &format!(".{extension}"), [7, 1, 2])?)
        }
    };
    let unseen = match task.name {
        "chnsenticorp" => Some(without_those_of_train(&paths[0].1, &own)?),
        _ => None,
    };
    Ok(Parts { paths, unseen })
}

/// The folder, unpacked from the archive beside it where it is not there.
fn unpacked(folder: &Path) -> Result<PathBuf> {
    let archive = PathBuf::from(format!("{}.tar", folder.display()));
    if folder.exists() || !archive.exists() {
        return Ok(folder.to_owned());
    }
    let into = results().join("data");
    let unpacked = into.join(folder.file_name().ok_or("the folder of data has no name")?);
    if !unpacked.exists() {
        fs::create_dir_all(&into)?;
        run(program("tar").arg("-xf").arg(archive).arg("-C").arg(into))?;
    }
    Ok(unpacked)
}

/// Divides the lines of a table into train, validation and test by these tenths. A line's part follows from its bytes alone.
fn divided(table: &Path, into: &Path, extension: &str, tenths: [u8; 3]) -> Result<[PathBuf; 3]> {
    let parts = ["train", "validation", "test"].map(|part| into.join(format!("{part}{extension}")));
    let text = fs::read(table).map_err(|error| format!("cannot read `{}`: {error}", table.display()))?;
    fs::create_dir_all(into)?;
    for (path, lines) in parts.iter().zip(divide(&text, tenths)) {
        fs::write(path, lines)?;
    }
    Ok(parts)
}

/// The lines of each part; a first line that names the columns stands in all of them.
fn divide(text: &[u8], tenths: [u8; 3]) -> [Vec<u8>; 3] {
    let mut parts = [const { Vec::new() }; 3];
    for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if number == 0 && line.starts_with(b"label") {
            parts.iter_mut().for_each(|part| part.extend_from_slice(line));
            continue;
        }
        let draw = Sha256::digest(line)[0] % 10;
        let part = if draw < tenths[0] { 0 } else { 1 + usize::from(draw >= tenths[0] + tenths[1]) };
        parts[part].extend_from_slice(line);
    }
    parts
}

/// The test table of a folder without the rows whose text stands in `train.tsv`.
fn without_those_of_train(folder: &Path, into: &Path) -> Result<PathBuf> {
    let path = into.join("test-unseen.tsv");
    fs::create_dir_all(into)?;
    let (train, test) = (fs::read_to_string(folder.join("train.tsv"))?, fs::read_to_string(folder.join("test.tsv"))?);
    fs::write(&path, unseen(&train, &test))?;
    Ok(path)
}

/// The lines of `test`, the first included, whose text after the label does not stand in `train`.
fn unseen(train: &str, test: &str) -> String {
    fn text(line: &str) -> &str {
        line.split_once('\t').map_or(line, |(_, text)| text.trim())
    }
    let known: HashSet<&str> = train.lines().skip(1).map(text).collect();
    test.split_inclusive('\n').filter(|line| !known.contains(text(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_comes_to_one_part_and_the_header_to_all() {
        let lines: String = (0..2000).map(|n| format!("{},text {n}\n", n % 2)).collect();
        let parts = divide(format!("label,review\n{lines}").as_bytes(), [7, 1, 2]);
        let counts = parts.each_ref().map(|part| part.iter().filter(|&&byte| byte == b'\n').count() - 1);
        assert_eq!(counts.iter().sum::<usize>(), 2000);
        assert!((1300..1500).contains(&counts[0]) && (140..260).contains(&counts[1]), "{counts:?}");
        assert!(parts.iter().all(|part| part.starts_with(b"label,review\n")));
        assert!(divide(lines.as_bytes(), [9, 1, 0])[2].is_empty());
    }

    #[test]
    fn texts_of_train_are_left_out_whatever_their_label() {
        let train = "label\ttext_a\n1\tgood\n0\tbad\n";
        assert_eq!(unseen(train, "label\ttext_a\n0\tgood\n1\tfine\n"), "label\ttext_a\n1\tfine\n");
    }
}
