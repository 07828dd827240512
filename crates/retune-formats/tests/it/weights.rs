//! Weights of every format by one reader; shards and their index.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use retune_formats::{FormatError, Problem, Weights, WeightsFormat, safetensors, torch};
use retune_tensor::{DType, Tensor, f16};
use serde_json::json;

use crate::torch::golden;

fn write_shard(path: &Path, tensors: &[(&str, f32)]) {
    let tensors: Vec<(&str, Tensor)> =
        tensors.iter().map(|&(name, value)| (name, Tensor::new([1], vec![value]).unwrap())).collect();
    let tensors = tensors.iter().map(|(name, tensor)| (*name, tensor));
    match path.extension().unwrap().to_str() {
        Some("bin") => torch::write(path, tensors, None).unwrap(),
        _ => safetensors::write(path, tensors, &BTreeMap::new()).unwrap(),
    }
}

fn write_index(path: &Path, weight_map: serde_json::Value) {
    fs::write(path, json!({ "metadata": { "total_size": 8 }, "weight_map": weight_map }).to_string()).unwrap();
}

#[test]
fn a_folder_with_shards_of_either_format() {
    for (index, extension, format) in [
        ("model.safetensors.index.json", "safetensors", WeightsFormat::Safetensors),
        ("pytorch_model.bin.index.json", "bin", WeightsFormat::Torch),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let names = [1, 2].map(|number| format!("part-{number}-of-2.{extension}"));
        write_shard(&folder.path().join(&names[0]), &[("a", 1.0), ("b", 2.0)]);
        write_shard(&folder.path().join(&names[1]), &[("c", 3.0)]);
        write_index(&folder.path().join(index), json!({ "a": names[0], "b": names[0], "c": names[1] }));
        let weights = Weights::open(folder.path()).unwrap();
        assert_eq!(weights.format(), format);
        assert_eq!(weights.files().len(), 2);
        assert!(weights.names().eq(["a", "b", "c"]));
        assert_eq!(weights.tensor("c").unwrap().as_f32(), Some(&[3.0][..]));
        assert_eq!(weights.info("b").unwrap().shape, [1]);
        assert!(weights.tensor("d").is_err());
    }
}

#[test]
fn shards_that_disagree_with_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = ("one.safetensors", "two.safetensors");
    let index = folder.path().join("model.safetensors.index.json");
    let open = |first: &[(&str, f32)], second: &[(&str, f32)], weight_map| -> FormatError {
        write_shard(&folder.path().join(one), first);
        write_shard(&folder.path().join(two), second);
        write_index(&index, weight_map);
        Weights::open(folder.path()).unwrap_err()
    };
    let missing = open(&[("a", 1.0)], &[("b", 2.0)], json!({ "a": one, "b": "three.safetensors" }));
    assert!(missing.to_string().contains("the shard `three.safetensors` is missing"), "{missing}");
    let wrong = open(&[("a", 1.0), ("b", 2.0)], &[("c", 3.0)], json!({ "a": one, "b": two, "c": two }));
    assert_eq!(wrong.place, "b");
    assert!(wrong.to_string().contains("the shard `two.safetensors` alone, found it in `one.safetensors`"), "{wrong}");
    let twice = open(&[("a", 1.0)], &[("a", 1.0), ("b", 2.0)], json!({ "a": one, "b": two }));
    assert!(twice.to_string().contains("the shard `one.safetensors` alone, found it in `two.safetensors`"), "{twice}");
    let absent = open(&[("a", 1.0)], &[("b", 2.0)], json!({ "a": one, "b": two, "c": two }));
    assert_eq!(absent.place, "c");
    assert!(absent.to_string().contains("the tensor in the shard `two.safetensors` is missing"), "{absent}");
    let unlisted = open(&[("a", 1.0)], &[("b", 2.0), ("c", 3.0)], json!({ "a": one, "b": two }));
    assert!(unlisted.to_string().contains("only tensors that the index lists, found `c`"), "{unlisted}");
    for name in ["../one.safetensors", "/etc/passwd", "", "a/b", "C:x"] {
        let error = open(&[("a", 1.0)], &[("b", 2.0)], json!({ "a": name }));
        assert!(matches!(error.problem, Problem::UnsafeName { .. }), "{name}: {error}");
    }
    assert!(matches!(open(&[], &[], json!({ "a": "x.index.json" })).problem, Problem::Mismatch { .. }));
    assert!(matches!(open(&[], &[], json!(["a"])).problem, Problem::Missing { .. }));
    assert!(matches!(open(&[], &[], json!({ "a": 1 })).problem, Problem::Missing { .. }));
}

#[test]
fn prefixes_of_wrappers_are_told_and_dropped_when_asked() {
    let mut weights = Weights::open(golden("training_zip.pth")).unwrap();
    assert_eq!(weights.wrapper_prefix(), Some("module."));
    assert_eq!(weights.strip_prefix("module.").unwrap(), 7);
    assert_eq!(weights.wrapper_prefix(), None);
    assert!(weights.names().any(|name| name == "0.weight"));
    assert_eq!(weights.tensor("0.weight").unwrap().shape(), [2, 1, 3, 3]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    write_shard(&path, &[("module.a", 1.0), ("a", 2.0)]);
    let mut weights = Weights::open(&path).unwrap();
    assert_eq!(weights.wrapper_prefix(), None);
    assert!(weights.strip_prefix("module.").is_err());
    assert!(weights.names().eq(["module.a", "a"]));
}

#[test]
fn conversions_are_told() {
    let weights = Weights::open(golden("types_zip.pth")).unwrap();
    let (tensors, conversions) = weights.read_f32().unwrap();
    let converted: Vec<String> = conversions.iter().map(ToString::to_string).collect();
    assert_eq!(
        converted,
        [
            "converted: `float64` from float64 to float32",
            "converted: `float16` from float16 to float32",
            "converted: `bfloat16` from bfloat16 to float32",
            "converted: `float8_e4m3fn` from float8_e4m3fn to float32",
            "converted: `float8_e5m2` from float8_e5m2 to float32",
        ]
    );
    assert_eq!(tensors["float8_e4m3fn"].as_f32(), Some(&[0.0, 1.0, 2.0, 3.0, 96.0, 64.0][..]));
    assert_eq!(tensors["int64"].dtype(), DType::I64);
    assert_eq!(tensors["bool"].dtype(), DType::Bool);
}

#[test]
fn tied_weights_keep_their_names_after_stripping() {
    let mut weights = Weights::open(golden("views_zip.pth")).unwrap();
    assert_eq!(weights.tied(), [["encoder", "decoder"]]);
    weights.strip_prefix("en").unwrap();
    assert_eq!(weights.tied(), [["coder", "decoder"]]);
}

#[test]
fn what_is_no_weights_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Weights::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("`model.safetensors` or `pytorch_model.bin` is missing"), "{error}");
    let path = folder.path().join("model.safetensors");
    fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n").unwrap();
    let error = Weights::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("`git lfs pull`"), "{error}");
    let error = Weights::open(crate::data("model.h5")).unwrap_err();
    assert!(error.to_string().contains("Keras"), "{error}");
    fs::write(&path, b"").unwrap();
    assert!(Weights::open(&path).is_err());
    // A header of 128 bytes starts with the byte that starts a pickle.
    let value = Tensor::new([1], vec![f16::ONE]).unwrap();
    let metadata = |length| BTreeMap::from([("x".to_owned(), "y".repeat(length))]);
    let starts_as_pickle = (0..100).any(|length| {
        safetensors::write(&path, [("w", &value)], &metadata(length)).unwrap();
        assert_eq!(Weights::open(&path).unwrap().tensor("w").unwrap(), value);
        fs::read(&path).unwrap()[0] == 0x80
    });
    assert!(starts_as_pickle);
}
