//! `.npy` and `.npz` as numpy writes them; refusals.

use retune_formats::{Limits, Problem, npy, npz};
use retune_tensor::{DType, Tensor};

use crate::{bytes, data};

#[test]
fn every_type_in_an_archive() {
    let arrays = npz::read(data("numbers.npz")).unwrap();
    assert_eq!(arrays.len(), 13);
    for (name, array) in &arrays {
        assert_eq!(array.shape(), [2, 3]);
        let expected: &[f32] = if name == "?" { &[0., 1., 1., 1., 1., 1.] } else { &[0., 1., 2., 3., 4., 5.] };
        assert_eq!(array.to_f32_vec(), expected, "{name}");
    }
    let dtypes: Vec<DType> = DType::ALL.iter().copied().filter(|&dtype| dtype != DType::BF16).collect();
    assert!(dtypes.iter().all(|&dtype| arrays.values().any(|array| array.dtype() == dtype)));
}

#[test]
fn orders_scalars_and_versions() {
    let fortran = npy::read(data("fortran.npy")).unwrap();
    assert_eq!(fortran, Tensor::new([2, 3, 4], (0..24).map(f64::from).collect::<Vec<_>>()).unwrap());
    assert_eq!(npy::read(data("scalar.npy")).unwrap(), Tensor::new([], vec![2.5f32]).unwrap());
    for name in ["version2.npy", "version3.npy"] {
        assert_eq!(npy::read(data(name)).unwrap().as_i32(), Some(&[0, 1, 2][..]));
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let arrays = npz::read(data("numbers.npz")).unwrap();
    let path = folder.path().join("copy.npz");
    npz::write(&path, arrays.iter().map(|(name, array)| (name.as_str(), array))).unwrap();
    assert_eq!(npz::read(&path).unwrap(), arrays);
    let path = folder.path().join("copy.npy");
    npy::write(&path, &arrays["f8"]).unwrap();
    assert_eq!(npy::read(&path).unwrap(), arrays["f8"]);
    assert!(npz::write(folder.path().join("x.npz"), [("../x", &arrays["f8"])]).is_err());
}

#[test]
fn arrays_of_objects_are_refused() {
    let error = npy::read(data("object.npy")).unwrap_err();
    assert!(error.to_string().contains("can run code"), "{error}");
}

/// A version 1 file with the given header and values.
fn file(header: &str, values: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
}

#[test]
fn damaged_headers_are_errors() {
    let read = |file: Vec<u8>| npy::from_bytes(&file, &Limits::default());
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    assert!(read(file(good, &[0; 8])).is_ok());
    assert!(read(file(good, &[0; 7])).is_err());
    assert!(read(file(good, &[0; 9])).is_err());
    let bad = [
        "",
        "()",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (4294967296, 4294967296, 4294967296)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,)}",
    ];
    for header in bad {
        assert!(read(file(header, &[0; 8])).is_err(), "{header}");
    }
    let mut version4 = bytes("scalar.npy");
    version4[6] = 4;
    assert!(matches!(read(version4).unwrap_err().problem, Problem::Mismatch { .. }));
    assert!(read(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}".to_vec()).is_err());
}
