//! Models used on several views of each image.

use crate::fixture::{data, model};
use retune_cpu::Cpu;
use retune_data::{Dataset, Inputs, Labels};
use retune_tensor::Tensor;
use retune_train::Predictor;
use retune_train::trainer::Silent;
use retune_train::views::Views;
use std::sync::Arc;

/// The images of the tiny data set, each mirrored left to right, or also top to bottom.
fn turned(left_right: bool, top_bottom: bool) -> Arc<Dataset> {
    let stored = data(20);
    let Inputs::Images(images) = stored.inputs() else { unreachable!("images") };
    let turn = |flip: bool, i: usize| if flip { 7 - i } else { i };
    let pixels: Vec<f32> = (0..20 * 64)
        .map(|i| (i / 64, i % 64 / 8, i % 8))
        .map(|(image, y, x)| images.as_f32().unwrap()[image * 64 + turn(top_bottom, y) * 8 + turn(left_right, x)])
        .collect();
    let labels = (0..20).map(|i| i * 7 % 3).collect();
    let inputs = Inputs::Images(Tensor::new([20, 8, 8, 1], pixels).unwrap());
    Arc::new(Dataset::new("turned", inputs, Labels::classes("turned", labels, 3).unwrap()).unwrap())
}

fn probabilities(views: Views, data: Arc<Dataset>) -> Vec<f32> {
    let predictor = Predictor::new(&Cpu::new(1), model(true, 3)).unwrap().with_views(views);
    let answers = predictor.classify(data, &mut Silent).unwrap();
    answers.into_iter().flat_map(|answer| answer.probabilities).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn turning_an_image_changes_nothing_where_all_its_turns_are_seen() {
    let (plain, mirrored, both) = (turned(false, false), turned(true, false), turned(true, true));
    let one = probabilities(Views::One, plain.clone());
    assert!(largest_difference(&one, &probabilities(Views::One, mirrored.clone())) > 1e-2, "the network sees a turn");
    let seen = probabilities(Views::Mirrored, plain.clone());
    assert!(largest_difference(&seen, &probabilities(Views::Mirrored, mirrored.clone())) < 1e-6);
    let half: Vec<f32> = one.iter().zip(probabilities(Views::One, mirrored)).map(|(a, b)| (a + b) / 2.0).collect();
    assert!(largest_difference(&seen, &half) < 1e-6, "the mean of both");
    let (four, turned) = (probabilities(Views::Flipped, plain), probabilities(Views::Flipped, both));
    assert!(largest_difference(&four, &turned) < 1e-6);
    assert!(largest_difference(&four, &seen) > 1e-3);
}

#[test]
fn evaluation_takes_the_same_mean() {
    let predictor = Predictor::new(&Cpu::new(1), model(true, 3)).unwrap().with_views(Views::Mirrored);
    let scored = predictor.evaluate(turned(false, false), None, None, &mut Silent).unwrap();
    let expected = probabilities(Views::Mirrored, turned(false, false));
    assert!(largest_difference(scored.scores(), &expected) < 1e-6);
    for (item, loss) in scored.losses().iter().enumerate() {
        let probability = scored.row(item)[scored.true_classes()[item] as usize];
        assert!((loss + probability.ln()).abs() < 1e-5);
    }
}
