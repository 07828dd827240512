//! Each kind of source, told from its path, gives the examples that were written.

use crate::fixtures::*;
use retune_data::sources::{Column, Layout, SourceKind, detect};
use retune_data::{Dataset, Inputs, LabelKind, LabelType, Labels, SourceOptions, open};
use retune_formats::{npy, npz};
use retune_tensor::{Tensor, Values};
use std::path::Path;
use tempfile::tempdir;

fn opened(path: &Path) -> Dataset {
    open(path, &SourceOptions::default()).unwrap().train
}

fn with(path: &Path, options: SourceOptions) -> Dataset {
    open(path, &options).unwrap().train
}

fn classes(data: &Dataset) -> Vec<usize> {
    data.ids().iter().map(|&id| data.labels().class_of(id as usize).unwrap()).collect()
}

fn stored(data: &Dataset) -> (&[usize], Vec<f32>) {
    let (Inputs::Images(t) | Inputs::Features(t)) = data.inputs() else { panic!("in memory") };
    (t.shape(), t.to_f32_vec())
}

#[test]
fn image_folders() {
    let dir = tempdir().unwrap();
    image_folder(dir.path(), &["cat", "ant", "dog"], &[2, 1, 3]);
    std::fs::write(dir.path().join("cat/notes.txt"), "not an image").unwrap();
    std::fs::write(dir.path().join("cat/.hidden.png"), "not an image").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), SourceKind::ImageFolder);
    let data = opened(dir.path());
    assert_eq!(data.class_names().unwrap(), ["ant", "cat", "dog"]);
    assert_eq!(classes(&data), [0, 1, 1, 2, 2, 2]);
    assert_eq!(data.class_counts(&data.ids()), Some(vec![1, 2, 3]));
    assert!(data.description().contains("1 other files left out"), "{}", data.description());
    let Inputs::Encoded(images) = data.inputs() else { panic!("on disk") };
    assert_eq!(images.size, Some([6, 5]));
    assert_eq!(images.name(3), Some(Path::new("dog").join("000.png").as_path()));
    assert!(data.verify().is_empty());

    let copy = tempdir().unwrap();
    image_folder(copy.path(), &["cat", "ant", "dog"], &[2, 1, 3]);
    let other = opened(copy.path());
    assert_eq!(data.content_hash().unwrap(), other.content_hash().unwrap());
    save(picture(99, 6, 5), &copy.path().join("dog/000.png"));
    assert_ne!(data.content_hash().unwrap(), opened(copy.path()).content_hash().unwrap());
}

#[test]
fn image_folders_with_parts() {
    let dir = tempdir().unwrap();
    image_folder(&dir.path().join("train"), &["a", "b"], &[3, 3]);
    image_folder(&dir.path().join("val"), &["b"], &[2]);
    image_folder(&dir.path().join("test"), &["a", "b"], &[1, 1]);
    let parts = open(dir.path(), &SourceOptions::default()).unwrap();
    assert_eq!((parts.train.len(), parts.test.as_ref().unwrap().len()), (6, 2));
    assert_eq!(classes(&parts.validation.unwrap()), [1, 1]);
}

#[test]
fn cifar10_in_both_forms() {
    let (binary, pickled) = (tempdir().unwrap(), tempdir().unwrap());
    std::fs::write(binary.path().join("data_batch_1.bin"), cifar_binary(&[6, 9])).unwrap();
    std::fs::write(binary.path().join("data_batch_2.bin"), cifar_binary(&[0])).unwrap();
    std::fs::write(binary.path().join("test_batch.bin"), cifar_binary(&[3])).unwrap();
    std::fs::write(pickled.path().join("data_batch_1"), cifar_pickle(&[6, 9], 2)).unwrap();
    std::fs::write(pickled.path().join("data_batch_2"), cifar_pickle(&[0], 1)).unwrap();
    std::fs::write(pickled.path().join("test_batch"), cifar_pickle(&[3], 1)).unwrap();
    assert_eq!(detect(binary.path()).unwrap(), SourceKind::Cifar10Binary);
    assert_eq!(detect(pickled.path()).unwrap(), SourceKind::Cifar10Pickle);
    let [a, b] = [&binary, &pickled].map(|dir| open(dir.path(), &SourceOptions::default()).unwrap());
    assert_eq!(a.train.content_hash().unwrap(), b.train.content_hash().unwrap());
    assert_eq!((classes(&a.train), classes(&a.test.unwrap())), (vec![6, 9, 0], vec![3]));
    assert_eq!(a.train.class_name(9), "truck");
    let (shape, values) = stored(&a.train);
    assert_eq!(shape, [3, 32, 32, 3]);
    // Row 2, column 5 of example 1, green: place 2·32 + 5 of the second plane.
    assert_eq!(values[3072 + (2 * 32 + 5) * 3 + 1], f32::from(pixel(1, 1024 + 69)));
    assert_eq!(opened(&binary.path().join("data_batch_1.bin")).len(), 2);
    assert_eq!(opened(&pickled.path().join("data_batch_1")).len(), 2);
}

/// CIFAR-10 as it is downloaded: names, order and contents of the entries as in the original archives, fewer images.
#[test]
fn cifar10_as_it_is_downloaded() {
    let batches: [(&str, &[u8]); 6] = [
        ("data_batch_4", &[4, 4]),
        ("test_batch", &[8, 0, 1]),
        ("data_batch_3", &[3]),
        ("data_batch_2", &[2, 2, 2]),
        ("data_batch_5", &[5]),
        ("data_batch_1", &[1, 9]),
    ];
    let mut python: Vec<(String, Vec<u8>)> = vec![("readme.html".into(), b"<html>".to_vec())];
    let mut binary: Vec<(String, Vec<u8>)> = vec![("batches.meta.txt".into(), b"airplane\nautomobile\n".to_vec())];
    for (name, labels) in batches {
        python.push((name.into(), cifar_pickle(labels, labels.len())));
        binary.push((format!("{name}.bin"), cifar_binary(labels)));
    }
    python.push(("batches.meta".into(), cifar_meta()));
    binary.push(("readme.html".into(), b"<html>".to_vec()));

    let dir = tempdir().unwrap();
    let mut paths = Vec::new();
    for (folder, archive, files) in [
        ("cifar-10-batches-py", "cifar-10-python.tar.gz", &python),
        ("cifar-10-batches-bin", "cifar-10-binary.tar.gz", &binary),
    ] {
        let unpacked = dir.path().join(folder);
        std::fs::create_dir(&unpacked).unwrap();
        files.iter().for_each(|(name, bytes)| std::fs::write(unpacked.join(name), bytes).unwrap());
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        std::fs::write(dir.path().join(archive), gzip(&tar(folder, &files))).unwrap();
        paths.extend([unpacked, dir.path().join(archive)]);
    }
    let mut hashes = std::collections::BTreeSet::new();
    for path in &paths {
        let parts = open(path, &SourceOptions::default()).unwrap();
        assert_eq!(classes(&parts.train), [1, 9, 2, 2, 2, 3, 4, 4, 5], "{}", path.display());
        let test = parts.test.unwrap();
        assert_eq!(classes(&test), [8, 0, 1]);
        assert_eq!(test.class_name(8), "ship");
        hashes.insert((parts.train.content_hash().unwrap().to_string(), test.content_hash().unwrap().to_string()));
    }
    assert_eq!((paths.len(), hashes.len()), (4, 1), "all four hold the same");
    assert_eq!(detect(&paths[1]).unwrap(), SourceKind::Cifar10Pickle);
    assert_eq!(detect(&paths[3]).unwrap(), SourceKind::Cifar10Binary);
}

/// The lists of a whole batch are longer than what Python appends at once.
#[test]
fn a_long_cifar10_batch() {
    let dir = tempdir().unwrap();
    let labels: Vec<u8> = (0..1001u16).map(|i| (i % 10) as u8).collect();
    std::fs::write(dir.path().join("data_batch_1"), cifar_pickle(&labels, 1001)).unwrap();
    let data = opened(&dir.path().join("data_batch_1"));
    assert_eq!((data.len(), classes(&data)[1000]), (1001, 0));
}

#[test]
fn idx_plain_and_zipped() {
    let dir = tempdir().unwrap();
    let pixels: Vec<u8> = (0..3 * 4 * 5).map(|i| pixel(0, i)).collect();
    let file = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    file("train-images-idx3-ubyte.gz", &gzip(&idx(&[3, 4, 5], &pixels)));
    file("train-labels-idx1-ubyte.gz", &gzip(&idx(&[3], &[2, 0, 1])));
    file("t10k-images.idx3-ubyte", &idx(&[1, 4, 5], &pixels[..20]));
    file("t10k-labels.idx1-ubyte", &idx(&[1], &[1]));
    assert_eq!(detect(dir.path()).unwrap(), SourceKind::Idx);
    let parts = open(dir.path(), &SourceOptions::default()).unwrap();
    let (shape, values) = stored(&parts.train);
    assert_eq!(shape, [3, 4, 5, 1]);
    assert!(values.iter().zip(&pixels).all(|(&a, &b)| a == f32::from(b)));
    assert_eq!(classes(&parts.train), [2, 0, 1]);
    assert_eq!(parts.test.unwrap().class_count(), Some(3));
    assert_eq!(opened(&dir.path().join("t10k-images.idx3-ubyte")).len(), 1);
}

#[test]
fn numpy_archives_and_files() {
    let dir = tempdir().unwrap();
    let x = Tensor::new([4, 2, 3], (0u8..24).collect::<Vec<_>>()).unwrap();
    let y = Tensor::new([4, 1], vec![0u8, 1, 2, 1]).unwrap();
    let y_test = Tensor::new([4], vec![0i64, 1, 0, 1]).unwrap();
    let path = dir.path().join("mnist.npz");
    npz::write(&path, [("x_train", &x), ("y_train", &y), ("x_test", &x), ("y_test", &y_test)]).unwrap();
    let parts = open(&path, &SourceOptions::default()).unwrap();
    assert_eq!(stored(&parts.train).0, [4, 2, 3, 1]);
    assert_eq!(classes(&parts.train), [0, 1, 2, 1]);
    assert_eq!(parts.test.unwrap().class_count(), Some(3));
    let given =
        SourceOptions { inputs_key: Some("x_test".into()), labels_key: Some("y_test".into()), ..Default::default() };
    assert_eq!(classes(&with(&path, given)), [0, 1, 0, 1]);

    npy::write(dir.path().join("x.npy"), &Tensor::new([2, 3, 1, 2], vec![0.5f64; 12]).unwrap()).unwrap();
    npy::write(dir.path().join("y.npy"), &Tensor::new([2], vec![0.25f32, 7.0]).unwrap()).unwrap();
    let first = SourceOptions { layout: Layout::ChannelsFirst, ..Default::default() };
    let data = with(&dir.path().join("x.npy"), first);
    assert_eq!((data.input_shape().unwrap(), data.has_images()), (&[1, 2, 3][..], true));
    assert_eq!(data.label_kind(), LabelKind::Real { shape: vec![1] });
    assert_eq!(data.labels().row(1), Some(&[7.0][..]));
    let unlabelled = SourceOptions { unlabelled: true, ..Default::default() };
    assert_eq!(with(&dir.path().join("x.npy"), unlabelled).label_kind(), LabelKind::None);

    let folder = tempdir().unwrap();
    npy::write(folder.path().join("x_train.npy"), &x).unwrap();
    npy::write(folder.path().join("y_train.npy"), &y).unwrap();
    assert_eq!(detect(folder.path()).unwrap(), SourceKind::Numpy);
    assert_eq!(classes(&opened(folder.path())), [0, 1, 2, 1]);
}

fn table(text: &str, options: SourceOptions) -> Dataset {
    let dir = tempdir().unwrap();
    let path = dir.path().join("table.csv");
    std::fs::write(&path, text).unwrap();
    with(&path, options)
}

#[test]
fn tables_with_header_and_text_labels() {
    let text = "length;species;width\n1.5; setosa;2\n2.5;virginica;3\n-3e1;setosa;4\n";
    let species = || SourceOptions { label: Some(Column::Name("species".into())), ..Default::default() };
    let data = table(text, species());
    assert_eq!(stored(&data), (&[3, 2][..], vec![1.5, 2.0, 2.5, 3.0, -30.0, 4.0]));
    assert_eq!(
        (classes(&data), data.class_names().unwrap()),
        (vec![0, 1, 0], &["setosa".into(), "virginica".into()][..])
    );
    let names = Some(vec!["virginica".into(), "setosa".into()]);
    assert_eq!(classes(&table(text, SourceOptions { class_names: names, ..species() })), [1, 0, 1]);
    let second = SourceOptions { label: Some(Column::Index(1)), ..Default::default() };
    assert_eq!(classes(&table(text, second)), [0, 1, 0]);
}

#[test]
fn tables_of_numbers_alone() {
    let digits = "0,1,2,3,0\n4,5,6,7,1\n8,9,10,11,1\n12,13,14,15,0\n";
    let shaped = SourceOptions { input_shape: Some(vec![2, 2, 1]), ..Default::default() };
    let data = table(digits, shaped);
    assert_eq!((data.input_shape().unwrap(), data.has_images()), (&[2, 2, 1][..], true));
    assert_eq!((classes(&data), data.class_names()), (vec![0, 1, 1, 0], None));
    // Whole numbers that do not count from 0 are classes by order; all different, they are values to regress on.
    let grades = table("1,5\n2,7\n3,5\n4,7\n", SourceOptions::default());
    assert_eq!((classes(&grades), grades.class_name(1)), (vec![0, 1, 0, 1], "7".into()));
    assert_eq!(
        table("1,5\n2,7\n3,6\n4,8\n", SourceOptions::default()).label_kind(),
        LabelKind::Real { shape: vec![1] }
    );
    let real = SourceOptions { labels: Some(LabelType::Real), ..Default::default() };
    assert_eq!(
        table("1,5\n2,7\n3,5\n4,7\n", real).labels(),
        &Labels::Real(Tensor::new([4, 1], vec![5f32, 7., 5., 7.]).unwrap())
    );
    let bare = SourceOptions { unlabelled: true, ..Default::default() };
    assert_eq!(stored(&table(digits, bare)).0, [4, 5]);
    let named = table("target,a\n0,0.5\n1,1.5\n0,0.5\n1,0.5\n", SourceOptions::default());
    assert_eq!((classes(&named), stored(&named).1), (vec![0, 1, 0, 1], vec![0.5, 1.5, 0.5, 0.5]));
}

#[test]
fn tables_in_parts_share_their_classes() {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("train.csv"), "id,v,kind\na,1,x\nb,2,y\nc,3,z\n").unwrap();
    std::fs::write(dir.path().join("test.csv"), "id,v,kind\na,1,z\nb,2,x\n").unwrap();
    assert_eq!(detect(dir.path()).unwrap(), SourceKind::Csv);
    let dropped = SourceOptions { drop_columns: vec![Column::Name("id".into())], ..Default::default() };
    let parts = open(dir.path(), &dropped).unwrap();
    let test = parts.test.unwrap();
    assert_eq!((classes(&test), test.class_names()), (vec![2, 0], parts.train.class_names()));
    assert_eq!(stored(&test), (&[2, 1][..], vec![1.0, 2.0]));
    std::fs::write(dir.path().join("train.csv"), "1,5\n2,7\n3,5\n4,7\n").unwrap();
    std::fs::write(dir.path().join("test.csv"), "9,7\n").unwrap();
    assert_eq!(classes(&open(dir.path(), &SourceOptions::default()).unwrap().test.unwrap()), [1]);
}

#[test]
fn zipped_tables() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("digits.csv.gz");
    std::fs::write(&path, gzip(b"1,2,0\n3,4,1\n5,6,0\n7,8,1\n")).unwrap();
    assert_eq!(detect(&path).unwrap(), SourceKind::Csv);
    assert_eq!(classes(&opened(&path)), [0, 1, 0, 1]);
}

#[test]
fn options_are_read_strictly() {
    let options: SourceOptions =
        serde_json::from_str(r#"{"kind":"image-folder","tolerance":3,"label":"price","labels":"real"}"#).unwrap();
    assert_eq!(options.label, Some(Column::Name("price".into())));
    assert_eq!(serde_json::from_str::<SourceOptions>(r#"{"label":2}"#).unwrap().label, Some(Column::Index(2)));
    assert!(serde_json::from_str::<SourceOptions>(r#"{"tolerence":3}"#).is_err());
}

#[test]
fn hashes_are_of_stored_values() {
    let labels = || Labels::classes("t", vec![0], 1).unwrap();
    let hash = |t: Tensor| Dataset::new("t", Inputs::Features(t), labels()).unwrap().content_hash().unwrap();
    let bytes = hash(Tensor::new([1, 2], Values::U8(vec![1, 2])).unwrap());
    assert_ne!(bytes, hash(Tensor::new([1, 2], Values::F32(vec![1.0, 2.0])).unwrap()));
    assert_ne!(bytes, hash(Tensor::new([1, 2, 1], Values::U8(vec![1, 2])).unwrap()));
}
