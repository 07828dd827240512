//! Real files of the assets folder give what Keras 3.15.1 computes from them.

use retune_models::{FinalActivation, Mode, Model};
use retune_tensor::Tensor;
use retune_testkit::Array;

use crate::harness::{Backend, asset, outputs, tolerance_used};

/// Deterministic numbers in `[0, 1]`: `(7919 i + 12345) mod 1009 / 1008`.
fn sample(shape: &[usize], scale: f32, offset: f32) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> =
        (0..count as u64).map(|i| ((i * 7919 + 12345) % 1009) as f32 / 1008.0 * scale + offset).collect();
    Tensor::new(shape, values).unwrap()
}

fn compare(name: &str, input: &Tensor, expected: &[f64]) -> Option<Model> {
    let (model, report) = Model::load(asset(name)?).unwrap();
    assert!(report.is_complete() && report.applied.len() == model.weights.len());
    let network = model.build(Mode::Inference, None).unwrap();
    let found = outputs(Backend::Cpu, &model, &network, std::slice::from_ref(input));
    let expected = Array::new(&[2, expected.len() / 2], expected.to_vec());
    let used = tolerance_used(&found[0], &expected, 1e-4, 1e-6);
    assert!(used <= 1.0, "{name}: {used} times the tolerance");
    Some(model)
}

#[test]
fn cifar_10_cnn() {
    let expected = [
        7.202754497528076,
        8.230257034301758,
        1.084887981414795,
        0.0,
        0.0,
        0.0,
        4.829616546630859,
        0.0,
        7.982652187347412,
        5.787522315979004,
        7.422692775726318,
        7.148437976837158,
        1.3073115348815918,
        0.0,
        0.0,
        0.0,
        4.164149284362793,
        0.0,
        8.291399955749512,
        5.272001266479492,
    ];
    let Some(model) = compare("cifar-10-model/cnn_model.h5", &sample(&[2, 32, 32, 3], 255.0, 0.0), &expected) else {
        return;
    };
    assert_eq!(model.weights.iter().map(|weight| weight.value.len()).sum::<usize>(), 969_418);
    assert_eq!(model.weights.iter().filter(|weight| weight.statistic).count(), 12);
    let layers = model.layers();
    assert_eq!((layers[1].path.as_str(), layers[1].class.as_str()), ("conv2d", "Conv2D"));
    assert_eq!(layers[1].shape.as_ref().unwrap().to_string(), "[Batch, 30, 30, 64]");
    assert_eq!(layers[1].parameters, 1792);
}

/// The two packages hold the same network.
#[test]
fn mini_xception() {
    let expected = [
        0.0019995756447315216,
        4.27419601448098e-14,
        9.212492102506076e-08,
        0.004488395527005196,
        7.89704208727926e-05,
        0.9934304356575012,
        2.6225973215332488e-06,
        0.002284637186676264,
        2.923202858159252e-14,
        9.042437199013875e-08,
        0.006342530250549316,
        9.715770283946767e-05,
        0.9912719130516052,
        3.7111290112079587e-06,
    ];
    let input = sample(&[2, 64, 64, 1], 2.0, -1.0);
    for name in ["fer/emotion_model.hdf5", "keras-mini-xception/fer2013_mini_XCEPTION.102-0.66.hdf5"] {
        let Some(model) = compare(name, &input, &expected) else { continue };
        let network = model.build(Mode::Inference, None).unwrap();
        assert_eq!(network.outputs[0].final_activation, FinalActivation::Softmax);
        assert!(network.outputs[0].logits.is_some());
        let penalized = model.weights.iter().filter(|weight| weight.regularizer.is_some()).count();
        assert!(penalized > 0, "the author's L2 penalties are known");
    }
}
