//! Reads `tests/golden/train`.

use retune_tensor::Tensor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub struct Golden {
    pub about: Value,
    tensors: BTreeMap<String, Tensor>,
}

impl Golden {
    pub fn load(name: &str) -> Golden {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/train");
        let about = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            let shape = view.shape().to_vec();
            let tensor = match view.dtype() {
                safetensors::Dtype::F32 => Tensor::new(shape, words.map(f32::from_le_bytes).collect::<Vec<_>>()),
                safetensors::Dtype::I32 => Tensor::new(shape, words.map(i32::from_le_bytes).collect::<Vec<_>>()),
                other => panic!("{other:?}"),
            };
            (name, tensor.unwrap())
        };
        Golden {
            about: serde_json::from_str(&about).unwrap(),
            tensors: file.tensors().into_iter().map(tensor).collect(),
        }
    }

    pub fn cases(&self) -> &[Value] {
        self.about["cases"].as_array().unwrap()
    }

    pub fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("the golden has no `{name}`"))
    }

    pub fn f32(&self, name: &str) -> &[f32] {
        self.tensor(name).as_f32().unwrap()
    }

    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// `(rtol, atol)` of the file.
    pub fn tolerance(&self) -> (f64, f64) {
        let number = |key: &str| self.about["tolerance"][key].as_f64().unwrap();
        (number("rtol"), number("atol"))
    }
}

/// Fails with the worst value unless every `|found − expected| ≤ atol + rtol · |expected|`.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], (rtol, atol): (f64, f64)) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&x, &y)) in found.iter().zip(expected).enumerate() {
        let (x, y) = (f64::from(x), f64::from(y));
        assert!((x - y).abs() <= atol + rtol * y.abs(), "{what}, value {i}: found {x}, expected {y}");
    }
}

pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}
