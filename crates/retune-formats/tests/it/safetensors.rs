//! `.safetensors`: round trips and refusals.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use retune_formats::safetensors::{self, SafetensorsFile, SafetensorsReader};
use retune_formats::{Limits, Problem, StoredType};
use retune_tensor::{Tensor, Values, bf16, f16};

fn example() -> SafetensorsFile {
    let tensors: [(&str, Vec<usize>, Values); 5] = [
        ("z", vec![2], vec![1i64, -1].into()),
        ("b", vec![2, 1], vec![0.5f32, 1.5].into()),
        ("a", vec![], vec![2.5f32].into()),
        ("half", vec![1], vec![bf16::from_f32(3.0)].into()),
        ("flags", vec![3], vec![true, false, true].into()),
    ];
    let tensors = tensors.map(|(name, shape, values)| (name.to_owned(), Tensor::new(shape, values).unwrap()));
    let metadata = BTreeMap::from([("format".into(), "retune".into()), ("step".into(), "7".into())]);
    SafetensorsFile { tensors: IndexMap::from(tensors), metadata }
}

#[test]
fn what_is_written_is_read_in_order_and_the_same_bytes_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    example().write(&first).unwrap();
    let read = SafetensorsFile::read(&first).unwrap();
    assert_eq!(read, example());
    assert!(read.tensors.keys().eq(["z", "b", "a", "half", "flags"]));
    read.write(&second).unwrap();
    assert_eq!(std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
}

#[test]
fn wide_types_come_first_so_that_values_are_aligned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let narrow = Tensor::new([1], vec![1u8]).unwrap();
    let wide = Tensor::new([1], vec![1f64]).unwrap();
    safetensors::write(&path, [("narrow", &narrow), ("wide", &wide)], &BTreeMap::new()).unwrap();
    assert!(SafetensorsFile::read(&path).unwrap().tensors.keys().eq(["wide", "narrow"]));
    let half = Tensor::new([1], vec![f16::ONE]).unwrap();
    assert!(safetensors::write(&path, [("a", &half), ("a", &half)], &BTreeMap::new()).is_err());
    assert!(safetensors::write(&path, [("__metadata__", &half)], &BTreeMap::new()).is_err());
}

#[test]
fn damaged_headers_are_errors() {
    let read = |header: &str, values: &[u8]| {
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), values].concat();
        SafetensorsFile::from_bytes(&file, &Limits::default())
    };
    assert!(read(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4]).is_ok());
    let bad = [
        "",
        "[]",
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#,
        r#"{"a":{"dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}"#,
    ];
    for header in bad {
        assert!(read(header, &[0; 4]).is_err(), "{header}");
    }
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    assert!(SafetensorsFile::from_bytes(&huge, &Limits::default()).is_err());
}

#[test]
fn tensors_are_read_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    example().write(&path).unwrap();
    let reader = SafetensorsReader::open(&path, &Limits::default()).unwrap();
    assert!(reader.infos().map(|(name, _)| name).eq(["z", "b", "a", "half", "flags"]));
    assert_eq!(reader.info("b").unwrap().shape, [2, 1]);
    assert_eq!(reader.metadata()["step"], "7");
    for (name, tensor) in example().tensors {
        assert_eq!(reader.tensor(&name).unwrap(), tensor, "{name}");
    }
    let error = reader.tensor("nothing").unwrap_err();
    assert!(matches!(error.problem, Problem::Missing { .. }) && error.path == Some(path), "{error}");
}

#[test]
fn eight_bit_floats_become_float16() {
    let header = r#"{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},
        "b":{"dtype":"F8_E5M2","shape":[2,1],"data_offsets":[2,4]}}"#;
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0x38, 0x7e, 0x3c, 0xbc]].concat();
    let reader = SafetensorsReader::from_bytes(file, &Limits::default()).unwrap();
    assert_eq!(reader.info("a").unwrap().stored, StoredType::F8E4M3);
    assert_eq!(reader.info("b").unwrap().stored, StoredType::F8E5M2);
    let halves = |values: [f32; 2]| values.map(f16::from_f32).to_vec();
    assert_eq!(reader.tensor("a").unwrap(), Tensor::new([2], halves([1.0, 448.0])).unwrap());
    assert_eq!(reader.tensor("b").unwrap(), Tensor::new([2, 1], halves([1.0, -1.0])).unwrap());
}
