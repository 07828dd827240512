//! PyTorch's files: every layout with the values that PyTorch reads; refusals; what is written is read.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use retune_formats::safetensors::SafetensorsFile;
use retune_formats::torch::{self, Layout, Scalar, TorchFile};
use retune_formats::{Limits, Problem, StoredType};
use retune_tensor::{DType, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The file `name` that PyTorch saved.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/torch_files").join(name)
}

pub fn golden_bytes(name: &str) -> Vec<u8> {
    std::fs::read(golden(name)).unwrap()
}

fn open(name: &str) -> TorchFile {
    TorchFile::open(golden(name), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn tensors(file: &TorchFile) -> IndexMap<String, Tensor> {
    file.infos().map(|(name, _)| (name.to_owned(), file.tensor(name).unwrap())).collect()
}

/// The archive `name`, packed anew by `method` with `change` applied to each member.
fn rezip(name: &str, method: CompressionMethod, mut change: impl FnMut(&str, &mut Vec<u8>)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(golden_bytes(name))).unwrap();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let mut data = Vec::new();
        member.read_to_end(&mut data).unwrap();
        let name = member.name().unwrap().into_owned();
        change(&name, &mut data);
        zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(&data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn values_are_those_that_pytorch_reads() {
    let cases = [
        ("types_zip.pth", Layout::Zip, 15),
        ("types_legacy.pth", Layout::Legacy, 10),
        ("views_zip.pth", Layout::Zip, 12),
        ("views_legacy.pth", Layout::Legacy, 12),
        ("training_zip.pth", Layout::Zip, 7),
        ("training_legacy.th", Layout::Legacy, 7),
        ("script.pt", Layout::Script, 8),
    ];
    for (name, layout, count) in cases {
        let file = open(name);
        assert_eq!(file.layout(), layout, "{name}");
        let expected = SafetensorsFile::read(golden(&format!("{name}.safetensors"))).unwrap();
        assert_eq!(expected.tensors.len(), count, "{name}");
        let found = tensors(&file);
        assert_eq!(found.len(), count, "{name}: {:?}", found.keys());
        for (key, tensor) in &expected.tensors {
            assert_eq!(found.get(key), Some(tensor), "{name}, {key}");
            let info = file.info(key).unwrap();
            let described = (info.shape.as_slice(), info.stored.dtype());
            assert_eq!(described, (tensor.shape(), tensor.dtype()), "{name}, {key}");
        }
    }
}

#[test]
fn stored_types_and_what_is_passed_over_are_told() {
    let file = open("types_zip.pth");
    assert_eq!(file.info("float8_e4m3fn").unwrap().stored, StoredType::F8E4M3);
    assert_eq!(file.info("float8_e5m2").unwrap().stored, StoredType::F8E5M2);
    assert_eq!(file.info("bfloat16").unwrap().stored, DType::BF16.into());
    let [(path, reason)] = file.skipped() else { panic!("{:?}", file.skipped()) };
    assert_eq!((path.as_str(), reason.as_str()), ("complex64", "complex or quantized values"));
}

#[test]
fn tied_weights_are_told_and_written_once() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["views_zip.pth", "views_legacy.pth"] {
        let file = open(name);
        assert_eq!(file.tied(), [["encoder", "decoder"]], "{name}");
        let tensors = tensors(&file);
        let path = folder.path().join("x.pth");
        let shared = &tensors["encoder"];
        torch::write(&path, [("encoder", shared), ("decoder", shared), ("whole", &tensors["whole"])], None).unwrap();
        assert_eq!(TorchFile::open(&path, &Limits::default()).unwrap().tied(), [["encoder", "decoder"]]);
    }
}

#[test]
fn a_training_programs_file() {
    for name in ["training_zip.pth", "training_legacy.th"] {
        let mut file = open(name);
        assert_eq!(file.state_dictionary(), "state_dict", "{name}");
        assert!(file.infos().all(|(name, _)| name.starts_with("module.")), "{name}");
        assert_eq!(file.scalars()["epoch"], Scalar::Int(3));
        assert_eq!(file.scalars()["arch"], Scalar::Text("tiny".into()));
        assert_eq!(file.scalars()["args.lr"], Scalar::Float(0.1));
        assert_eq!(file.scalars()["args.milestones.1"], Scalar::Int(150));
        assert_eq!(file.scalars()["optimizer.param_groups.0.nesterov"], Scalar::Bool(false));
        let paths: Vec<&str> = file.state_dictionaries().map(|(path, _)| path).collect();
        assert!(paths.contains(&"") && paths.contains(&"optimizer.state.0"), "{paths:?}");
        file.choose("optimizer.state.0").unwrap();
        assert!(file.infos().map(|(name, _)| name).eq(["momentum_buffer"]));
        file.choose("").unwrap();
        assert_eq!(file.tensor("best_prec1").unwrap().as_f32(), Some(&[91.5][..]));
        let error = file.choose("ema").unwrap_err();
        assert!(error.to_string().contains("a dictionary of tensors at `ema`"), "{error}");
    }
}

/// Protocol 0: a tensor of bytes in the storage `key`.
fn byte_tensor(key: &str, elements: &str, offset: &str, shape: &str, strides: &str) -> String {
    format!(
        "ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nByteStorage\nS'{key}'\nS'cpu'\nI{elements}\nNtQI{offset}\n\
         ({shape}t({strides}tI00\nNtR"
    )
}

/// A file of the legacy layout with storages of bytes.
fn legacy(object: &[u8], keys: &[u8], storages: &[&[u8]]) -> Vec<u8> {
    let start: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.}.";
    let mut file = [start, object, keys].concat();
    for storage in storages {
        file.extend((storage.len() as u64).to_le_bytes());
        file.extend(*storage);
    }
    file
}

#[test]
fn dictionaries_of_equal_standing_are_read_together() {
    let entry = |key: &str, inner: &str, storage: &str| {
        format!("S'{key}'\n(dS'{inner}'\n{}ss", byte_tensor(storage, "1", "0", "I1\n", "I1\n"))
    };
    let entries = [entry("encoder", "w", "0"), entry("decoder", "w", "1"), entry("optimizer", "m", "2")].concat();
    let file = legacy(format!("(d{entries}.").as_bytes(), b"(S'0'\nS'1'\nS'2'\nl.", &[&[7], &[8], &[9]]);
    let file = TorchFile::from_bytes(file, &Limits::default()).unwrap();
    assert!(file.infos().map(|(name, _)| name).eq(["encoder.w", "decoder.w"]));
    assert_eq!(file.tensor("decoder.w").unwrap(), Tensor::new([1], vec![8u8]).unwrap());
}

#[test]
fn a_file_that_would_run_a_command_is_refused_by_name() {
    for (name, place) in [("evil_zip.pth", "data.pkl/byte "), ("evil_legacy.pth", "object/byte ")] {
        let error = TorchFile::open(golden(name), &Limits::default()).unwrap_err();
        let Problem::ForbiddenGlobal { module, name: function } = &error.problem else { panic!("{error}") };
        assert_eq!((module.as_str(), function.as_str()), ("posix", "system"));
        assert!(error.place.starts_with(place), "{error}");
        assert!(error.to_string().contains("hint: nothing of the file was executed"), "{error}");
        assert!(!Path::new("executed").exists());
    }
    let error = TorchFile::open(golden("model_zip.pth"), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("`torch.nn.modules.linear.Linear`"), "{error}");
    assert!(error.to_string().contains("`state_dict()`"), "{error}");
}

#[test]
fn lies_about_storages_are_refused() {
    let read = |elements: &str, offset: &str, shape: &str, strides: &str| {
        let object = format!("(dS'w'\n{}s.", byte_tensor("0", elements, offset, shape, strides));
        TorchFile::from_bytes(legacy(object.as_bytes(), b"(S'0'\nl.", &[&[1, 2, 3, 4]]), &Limits::default())
    };
    let good = read("4", "1", "I3\n", "I1\n").unwrap();
    assert_eq!(good.tensor("w").unwrap(), Tensor::new([3], vec![2u8, 3, 4]).unwrap());
    for (elements, offset, shape, strides) in [
        ("5", "0", "I4\n", "I1\n"),
        ("3", "0", "I3\n", "I1\n"),
        ("9223372036854775807", "0", "I4\n", "I1\n"),
        ("-4", "0", "I4\n", "I1\n"),
        ("4", "2", "I3\n", "I1\n"),
        ("4", "-1", "I3\n", "I1\n"),
        ("4", "3", "I3\n", "I-1\n"),
        ("4", "0", "I-3\n", "I1\n"),
        ("4", "0", "I4\n", "I2\n"),
        ("4", "0", "I2\nI2\n", "I1\n"),
        ("4", "18446744073709551615", "I2\n", "I1\n"),
        // One stored byte as a tensor of 2^40: too much for a file of this size.
        ("4", "0", "I1099511627776\n", "I0\n"),
    ] {
        assert!(read(elements, offset, shape, strides).is_err(), "{elements} {offset} {shape} {strides}");
    }
}

#[test]
fn hostile_structures_are_refused_in_bounded_time() {
    let refused = |object: &[u8]| {
        let file = legacy(object, b"(l.", &[]);
        TorchFile::from_bytes(file, &Limits::default()).unwrap_err()
    };
    // A dictionary that contains itself.
    assert!(matches!(refused(b"}q\x00U\x01ah\x00s.").problem, Problem::TooLarge { .. }));
    // 2^60 paths through 60 tuples, each twice in the next.
    let doubled = [&b"]q\x00"[..], &b"0h\x00h\x00\x86q\x00".repeat(60), b"."].concat();
    assert!(matches!(refused(&doubled).problem, Problem::TooLarge { .. }));
    // A long key in many paths: {key: [1, 1, …]}.
    let mut key = b"X".to_vec();
    key.extend(1_000_000u32.to_le_bytes());
    key.extend(vec![b'k'; 1_000_000]);
    let long = [&b"}"[..], &key, b"(", &b"K\x01".repeat(1000), b"ls."].concat();
    assert!(matches!(refused(&long).problem, Problem::TooLarge { .. }));
    assert!(matches!(refused(b"N.").problem, Problem::Missing { .. }));
}

#[test]
fn archives_that_other_programs_packed() {
    let whole = tensors(&open("views_zip.pth"));
    let compressed = rezip("views_zip.pth", CompressionMethod::Deflated, |_, _| {});
    assert_eq!(tensors(&TorchFile::from_bytes(compressed, &Limits::default()).unwrap()), whole);
    // As a machine with the other order of bytes writes it: all storages of this file but two have elements of 4 bytes.
    let swapped = rezip("views_zip.pth", CompressionMethod::Stored, |name, data| {
        let (_, member) = name.split_once('/').unwrap();
        if member == "byteorder" {
            *data = b"big".to_vec();
        } else if member.starts_with("data/") {
            let size = match data.len() {
                8 if data[0] == 7 => 8,
                10 => 2,
                _ => 4,
            };
            data.chunks_mut(size).for_each(<[u8]>::reverse);
        }
    });
    assert_eq!(tensors(&TorchFile::from_bytes(swapped, &Limits::default()).unwrap()), whole);
}

#[test]
fn damaged_archives() {
    let read = |file: Vec<u8>| TorchFile::from_bytes(file, &Limits::default());
    let short = rezip("views_zip.pth", CompressionMethod::Stored, |name, data| {
        if name.ends_with("data/0") {
            data.pop();
        }
    });
    let error = read(short).unwrap_err();
    assert_eq!(error.place, "data/0", "{error}");
    // Another value in a storage, without the checksum: noticed when the tensor is read.
    let mut altered = golden_bytes("views_zip.pth");
    let value = [22.0f32, 23.0].map(f32::to_le_bytes).concat();
    let at = altered.windows(8).position(|window| window == value).unwrap();
    altered[at] ^= 1;
    let error = read(altered).unwrap().tensor("whole").unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    // A bomb: 100 MB of zeros deflate to 100 KB.
    let bomb = rezip("views_zip.pth", CompressionMethod::Deflated, |name, data| {
        if name.ends_with("data/0") {
            data.resize(100_000_000, 0);
        }
    });
    assert!(bomb.len() < 200_000);
    assert!(matches!(read(bomb).unwrap_err().problem, Problem::TooLarge { .. }));
    let other = read(crate::bytes("numbers.npz")).unwrap_err();
    assert!(other.to_string().contains("an archive of PyTorch"), "{other}");
    let pickle = read(crate::bytes("batch_p2.pickle")).unwrap_err();
    assert!(pickle.to_string().contains("torch.save(model.state_dict(), path)"), "{pickle}");
}

#[test]
fn what_is_written_is_read_and_the_same_bytes_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    for name in ["types_zip.pth", "views_zip.pth"] {
        let tensors = tensors(&open(name));
        let named = || tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        for wrapper in [None, Some("state_dict")] {
            torch::write(&path, named(), wrapper).unwrap();
            let first = std::fs::read(&path).unwrap();
            let read = TorchFile::open(&path, &Limits::default()).unwrap();
            assert_eq!(read.state_dictionary(), wrapper.unwrap_or(""));
            assert_eq!(self::tensors(&read), tensors, "{name}");
            assert!(read.infos().map(|(name, _)| name).eq(tensors.keys()));
            torch::write(&path, named(), wrapper).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), first);
        }
        let twice = named().next().unwrap();
        assert!(matches!(torch::write(&path, [twice, twice], None).unwrap_err().problem, Problem::Duplicate { .. }));
    }
}
