//! Pickles of every protocol; one that would run a command.

use retune_formats::pickle::{Value, numpy, parse};
use retune_formats::{Limits, Problem};
use retune_tensor::Tensor;

use crate::bytes;

#[test]
fn cifar_10_batches_of_every_protocol() {
    let pixels: Vec<u8> = (0..2 * 3072).map(|i| (i % 251) as u8).collect();
    let pixels = Tensor::new([2, 3072], pixels).unwrap();
    let names = ["batch_p0", "batch_p1", "batch_p2", "batch_p3", "batch_p4", "batch_p5", "batch_py2"];
    for name in names {
        let file = bytes(&format!("{name}.pickle"));
        let pickle = parse(&file, numpy::GLOBALS, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = pickle.root();
        assert_eq!(root.entries().unwrap().len(), 4, "{name}");
        let labels: Option<Vec<i64>> = root.get("labels").unwrap().items().unwrap().map(Value::as_i64).collect();
        assert_eq!(labels.unwrap(), [6, 9], "{name}");
        assert_eq!(root.get("batch_label").unwrap().as_bytes(), Some(&b"training batch 1 of 5"[..]), "{name}");
        let names: Vec<_> = root.get("filenames").unwrap().items().unwrap().filter_map(Value::as_text).collect();
        assert_eq!(names, ["a.png", "b.png"]);
        assert_eq!(numpy::array(root.get("data").unwrap()).unwrap(), pixels, "{name}");
        assert!(numpy::array(root.get("labels").unwrap()).is_err());
    }
}

#[test]
fn a_pickle_that_would_run_a_command_is_refused_by_name() {
    let file = bytes("evil.pickle");
    let error = parse(&file, numpy::GLOBALS, &Limits::default()).unwrap_err();
    assert!(
        matches!(&error.problem, Problem::ForbiddenGlobal { module, name } if module == "posix" && name == "system")
    );
    assert!(error.to_string().contains("hint: nothing of the file was executed"), "{error}");
    // Even a caller who permits the name gets data and no effect.
    let pickle = parse(&file, &[("posix", "system")], &Limits::default()).unwrap();
    let call = pickle.root().get("data").unwrap();
    let argument = call.follow(call.as_instance().unwrap().arguments).items().unwrap().next().unwrap();
    assert_eq!(argument.as_text(), Some("touch executed"));
    assert!(!std::path::Path::new("executed").exists());
}

#[test]
fn one_text_encoded_over_and_over_is_refused() {
    let mut bomb = b"c_codecs\nencode\nq\x00X".to_vec();
    bomb.extend(1_000_000u32.to_le_bytes());
    bomb.extend(vec![b'x'; 1_000_000]);
    bomb.extend(b"X\x06\x00\x00\x00latin1\x86q\x01");
    bomb.extend(b"h\x00h\x01R0".repeat(1000));
    bomb.push(b'.');
    let error = parse(&bomb, &[], &Limits::default()).unwrap_err();
    assert!(matches!(error.problem, Problem::TooLarge { .. }), "{error}");
}
