//! HDF5: types, layouts and attributes of h5py; cycles, links and absurd sizes.

use retune_formats::hdf5::{Attribute, GroupToWrite, Hdf5File};
use retune_formats::keras::KerasFile;
use retune_formats::{Limits, Problem};
use retune_tensor::{DType, Tensor, Values, bf16};

use crate::{bytes, data};

fn open(name: &str) -> Hdf5File {
    Hdf5File::from_bytes(bytes(name), &Limits::default()).unwrap()
}

#[test]
fn every_number_type_in_both_byte_orders() {
    let file = open("types.h5");
    let names = [
        ("f2", DType::F16),
        ("f4", DType::F32),
        ("f8", DType::F64),
        ("i1", DType::I8),
        ("i2", DType::I16),
        ("i4", DType::I32),
        ("i8", DType::I64),
        ("u1", DType::U8),
        ("u2", DType::U16),
        ("u4", DType::U32),
        ("u8", DType::U64),
    ];
    for (name, dtype) in names {
        for order in ["little", "big"] {
            let tensor = file.root().group(order).unwrap().dataset(name).unwrap().read().unwrap();
            assert_eq!((tensor.dtype(), tensor.shape()), (dtype, &[2, 3][..]));
            assert_eq!(tensor.to_f32_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{order} {name}");
        }
    }
    let read = |name: &str| file.root().dataset(name).unwrap().read().unwrap();
    assert_eq!(read("bool"), Tensor::new([2], vec![true, false]).unwrap());
    assert_eq!(read("bfloat16"), Tensor::new([4], [0.0, 1.0, 2.0, 3.0].map(bf16::from_f32).to_vec()).unwrap());
    assert_eq!(read("scalar"), Tensor::new([], vec![3f32]).unwrap());
    assert_eq!(read("empty").shape(), [0, 3]);
    let grid: Vec<f32> = (0..2500u16).map(f32::from).collect();
    assert_eq!(read("gzip"), Tensor::new([50, 50], grid.clone()).unwrap());
    assert_eq!(read("lzf"), Tensor::new([50, 50], grid).unwrap());
}

#[test]
fn what_is_no_number_is_refused() {
    let file = open("types.h5");
    for name in ["text", "compound"] {
        let error = file.root().dataset(name).unwrap().read().unwrap_err();
        assert!(matches!(error.problem, Problem::Unsupported { .. }), "{error}");
    }
    let missing = file.root().dataset("no/such").err().unwrap();
    assert!(matches!(missing.problem, Problem::Missing { .. }), "{missing}");
    let group = file.root().dataset("little").err().unwrap();
    assert!(matches!(group.problem, Problem::Mismatch { .. }), "{group}");
}

#[test]
fn paths_that_climb_are_refused() {
    let file = open("types.h5");
    for name in ["", "..", "../little", "little/../big", "/little", "little//f4"] {
        let error = file.root().group(name).err().unwrap();
        assert!(matches!(error.problem, Problem::UnsafeName { .. }), "{name}: {error}");
    }
}

#[test]
fn attributes() {
    let attributes = open("types.h5").root().attributes().unwrap();
    let text = |text: &str| Some(Attribute::Text(text.into()));
    let texts = |texts: &[&str]| Some(Attribute::Texts(texts.iter().map(|&text| text.into()).collect()));
    assert_eq!(attributes.get("fixed").cloned(), text("abc"));
    assert_eq!(attributes.get("list").cloned(), texts(&["a", "bcd"]));
    assert_eq!(attributes.get("variable").cloned(), texts(&["x", "yz"]));
    assert_eq!(attributes.get("none").cloned(), texts(&[]));
    assert_eq!(attributes.get("number"), None);
}

#[test]
fn texts_that_are_damaged_are_not_passed_over() {
    // Texts of variable length lie in heaps; without the heap's signature none can be read.
    let mut damaged = bytes("types.h5");
    let heaps: Vec<usize> = (0..damaged.len() - 4).filter(|&at| damaged[at..].starts_with(b"GCOL")).collect();
    assert!(!heaps.is_empty());
    heaps.into_iter().for_each(|at| damaged[at] = b'X');
    let error = Hdf5File::from_bytes(damaged, &Limits::default()).unwrap().root().attributes().unwrap_err();
    assert_eq!(error.to_string(), "expected text in the attribute `variable`, found a value that is damaged");
}

#[test]
fn user_blocks_and_what_follows_the_end_are_passed_over() {
    for (name, user_block) in [("user_block.h5", 512), ("user_block_latest.h5", 2048)] {
        let mut bytes = bytes(name);
        let length = bytes.len() as u64;
        bytes[..user_block].fill(b'#');
        bytes.extend([0; 100]);
        let file = Hdf5File::from_bytes(bytes.clone(), &Limits::default()).unwrap();
        let tensor = file.root().dataset("layers/dense/vars/0").unwrap().read().unwrap();
        assert_eq!(tensor, Tensor::new([3], vec![0f32, 1.0, 2.0]).unwrap());

        for cut in [length - 1, length / 2 + 1024] {
            let error = Hdf5File::from_bytes(bytes[..cut as usize].to_vec(), &Limits::default()).err().unwrap();
            assert_eq!(error.place, "superblock");
            assert!(
                matches!(error.problem, Problem::Truncated { needed, available } if (needed, available) == (length, cut)),
                "{name}: {error}"
            );
        }
        // Cut inside the superblock.
        let error = Hdf5File::from_bytes(bytes[..user_block + 20].to_vec(), &Limits::default()).err().unwrap();
        assert!(matches!(error.problem, Problem::Truncated { .. }), "{name}: {error}");
    }
}

#[test]
fn sizes_far_beyond_the_file_are_refused_before_memory_is_reserved() {
    let error = open("types.h5").root().dataset("bomb").unwrap().read().unwrap_err();
    let limit = Limits::FREE_EXPANSION_BYTES;
    assert!(
        matches!(error.problem, Problem::TooLarge { found, limit: l, .. } if found == 1 << 42 && l == limit),
        "{error}"
    );
}

#[test]
fn circles_end() {
    let limits = Limits { max_objects: 1000, ..Limits::default() };
    let error = KerasFile::read_with(data("cycle.h5"), &limits).unwrap_err();
    assert!(matches!(error.problem, Problem::TooLarge { limit: 64 | 1000, .. }), "{error}");
    // With the default number of objects, depth or the work permitted for so small a file ends it.
    KerasFile::read(data("cycle.h5")).unwrap_err();
}

#[test]
fn links_are_not_followed_out_of_the_file() {
    // A soft link makes its group unreadable.
    let error = KerasFile::read(data("soft_link.h5")).unwrap_err();
    assert_eq!(error.place, "layers/dense/vars");
    // An external link is passed over: what stands behind it counts as missing.
    let file = KerasFile::read(data("external_link.h5")).unwrap();
    assert!(file.weights.tensors().map(|(path, _)| path).eq(["layers/dense/vars/0"]));
    for name in ["soft_link.h5", "external_link.h5"] {
        let file = open(name);
        assert!(file.root().group("layers/dense/vars").unwrap().dataset("1").is_err(), "{name}");
    }
}

#[test]
fn what_is_written_is_read() {
    let tensors: Vec<Tensor> = vec![
        Tensor::new([2, 2], vec![1f32, 2.0, 3.0, 4.0]).unwrap(),
        Tensor::new([], vec![-7i64]).unwrap(),
        Tensor::new([0, 4], Vec::<u8>::new()).unwrap(),
        Tensor::new([2], vec![true, false]).unwrap(),
        Tensor::new([2], Values::BF16(vec![bf16::from_f32(0.5); 2])).unwrap(),
    ];
    let mut root = GroupToWrite::new();
    for (i, tensor) in tensors.iter().enumerate() {
        root.add_dataset(&format!("a/b{i}/c"), tensor).unwrap();
    }
    let long = "x".repeat(200_000);
    root.set_attribute("long", Attribute::Text(long.clone()));
    root.group_at("a").unwrap().set_attribute("names", Attribute::Texts(vec!["é".into(), "b".into()]));
    assert!(root.add_dataset("a/b0/c", &tensors[0]).is_err());
    assert!(root.add_dataset("a/b0", &tensors[0]).is_err());
    assert!(root.add_dataset("a/../c", &tensors[0]).is_err());
    assert!(root.group_at("a/b0/c/d").is_err());

    let file = Hdf5File::from_bytes(root.into_bytes().unwrap(), &Limits::default()).unwrap();
    assert_eq!(file.root().attributes().unwrap()["long"], Attribute::Text(long));
    let group = file.root().group("a").unwrap();
    assert_eq!(group.attributes().unwrap()["names"], Attribute::Texts(vec!["é".into(), "b".into()]));
    let read = group.all_datasets().unwrap();
    assert_eq!(read.len(), tensors.len());
    for (i, tensor) in tensors.iter().enumerate() {
        assert_eq!(&read[&format!("b{i}/c")].read().unwrap(), tensor);
    }
}
